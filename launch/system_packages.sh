#!/bin/sh
# Installs the system packages named, where that is allowed; otherwise prints the command and
# carries on: the rehearsal needs none of them, and tests that need one say so and are skipped.
#   libportaudio2                     live input and output (the Linux wheel of sounddevice has none)
#   jackd2                            tests of the sound card without a sound card
#   fluidsynth, fluid-soundfont-gm    rendering the demo pieces and MIDI corpora
#   sonic-pi-server, sonic-pi-samples, supercollider-server, sc3-plugins-server, ruby,
#   bubblewrap, faketime              rendering Sonic Pi programs, in a sandbox
set -u
wanted="$*"
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "system packages: not a Debian system; for live audio install PortAudio (macOS: brew install portaudio)"
    exit 0
fi
missing=""
for package in $wanted; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -eq 0 ]; then
    echo "system packages: installing$missing"
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null; then exit 0; fi
fi
echo "system packages: not installed:$missing (what needs them is skipped). To install: sudo apt-get update && sudo $install"
exit 0
