hit = lambda { sample :drum_tom_lo_soft }
tone = ->(n, a = 0.5) { play n, amp: a, release: 0.2 }
wait = proc { |b| sleep b }
acts = [hit, -> { tone.call(64) }, -> { tone.(67, 1) }]
define :every do |n, &blk|
  blk.call(n)
  blk.call(n + 1)
end
def twice
  yield 1
  yield 2
end
live_loop :act do
  acts.tick.call
  wait.call(0.25)
  every(60) { |v| tone[v] ; sleep 0.125 }
  twice { |k| sample :elec_pop, rate: k; sleep 0.125 }
  begin
    play [60, 64][5] + 1
  rescue
    play 30
  end
  sleep 0.25
end
