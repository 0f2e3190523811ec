use_bpm 80
use_synth :piano
prog = [[:c4, :major], [:a3, :minor], [:f3, :maj9], [:g3, "7"], [:d3, :m7b5]]
live_loop :chords do
  tonic, kind = prog.tick
  play_chord chord(tonic, kind, invert: look % 3), amp: 0.8
  sleep 1
  play_pattern chord(tonic, kind, num_octaves: 2).take(4), amp: 0.3
  play degree(:iv, tonic, :major), octave: 1
  play note(:e, octave: 5), release: 0.3
  play hz_to_midi(440) + note_info(:c3).midi_note - 48
  sleep 1
  with_octave(-1) { play tonic, sustain: 0.5 }
  with_transpose 7 do
    with_synth(:blade) { play tonic }
  end
  play chord_invert(chord(:e3, :sus4), -1)
  play midi_to_hz(40)
  sleep 1
end
