in_thread(name: :slow) do
  use_bpm 50
  6.times do
    play :c3, sustain: 0.5, release: 0.5
    sleep 1
  end
end
with_bpm 200 do
  10.times { sample :drum_cymbal_pedal; sleep 0.5 }
end
use_bpm 60 * 1.5
live_loop :sync_me do
  play :g4, attack: 0.1, release: rt(0.2)
  sleep bt(1)
end
live_loop :bpm_sync do
  sync_bpm :sync_me
  sample :elec_plip, rate: current_bpm / 90.0
  use_arg_bpm_scaling false
  play :e6, release: 0.05
  use_arg_bpm_scaling true
  sleep 0.5
end
