"""Sonic Pi programs to sound, faster than real time, without a window.

`renderer.Renderer` is the way in. A program runs in the *installed* Sonic Pi language runtime under
a virtual clock (the Ruby files of this folder), in a process that can do nothing but compute; what
it sends to the synthesis server is recorded (`fork_server`), turned into a score (`score`) and an
event list (`events`), and rendered by `scsynth -N` (`synthesis`). Times are seconds from the start
of the program; audio is 44.1 kHz, the rate that Sonic Pi's synth definitions are made for.
"""
