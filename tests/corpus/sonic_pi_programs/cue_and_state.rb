set :level, 0.5
set :notes, (chord :a3, :minor7)
live_loop :clock do
  cue :beat, number: tick % 4
  set :level, 0.2 + 0.1 * (look % 4)
  sleep 0.5
end
live_loop :player do
  info = sync :beat
  play get(:notes)[info[:number]], amp: get[:level], release: 0.3
end
live_loop :answer do
  sync :beat
  sleep 0.25
  synth :fm, note: (get[:notes]).look, divisor: 2, release: 0.2
  tick
end
live_loop :stopper do
  sleep 6
  stop
end
