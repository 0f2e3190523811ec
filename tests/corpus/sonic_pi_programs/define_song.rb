# Functions with arguments, defaults, return values and a recursion.
use_bpm 120
define :riff do |root, times = 2, vol: 1|
  times.times do |i|
    play_pattern_timed [root, root + 3, root + 7, root + 12], [0.25, 0.25, 0.5], amp: vol, release: 0.3
  end
  return root + 2
end
define :fall do |n|
  play n, release: 0.2
  sleep 0.125
  fall(n - 3) if n > 60
end
def fifth(x)
  x + 7
end
root = 48
4.times do
  use_synth :saw
  root = riff(root, vol: 0.5)
  use_synth :pluck
  fall fifth(root) + 24
end
in_thread do
  loop do
    play chord(:c3, :m7), sustain: 1
    sleep 2
  end
end
