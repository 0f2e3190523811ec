# Steps in strings, ticks, several loops kept together by sync.
use_bpm 126
kick  = "x---x---x---x-x-"
snare = "----x-------x---"
hats  = (ring 1, 0.4, 0.7, 0.4)

live_loop :bar do
  16.times do |step|
    sample :bd_tek, amp: 1.5 if kick[step] == "x"
    sample :sn_dolf, rate: 1.1 unless snare[step] != "x"
    sleep 0.25
  end
end

live_loop :hat, sync: :bar do
  sample :drum_cymbal_closed, amp: hats.tick, finish: 0.4, pan: (look % 2 == 0 ? -0.3 : 0.3)
  sleep 0.25
end
