# frozen_string_literal: true

# The fork server: loads the installed Sonic Pi language once, then runs each program in a forked,
# confined process of its own. Argument 1: settings as JSON. Speaks JSON lines on standard input
# and output:
#   greeting ->  {"synthdefs": {name: {argument: default}}}
#   request  <-  {"code": text, "seconds": s, "limits": see fork_server.py}
#   answer   ->  {"end": how the process ended, "seconds": real time} and, if that is "answered",
#                one line of the program's own: {"messages", "log", "errors", "finished"} or {"failure"}.
# The second line comes through a pipe that only that program held; whatever it says concerns itself.
require "json"

SETTINGS = JSON.parse(ARGV.fetch(0))
SERVER_FOLDER = SETTINGS.fetch("server_folder")
CHANNEL = STDOUT.dup
CHANNEL.binmode
STDOUT.reopen(File::NULL, "w")
$VERBOSE = nil

require_relative "language"
require_relative "confinement"

module Antiphon
  # One forked process per request.
  class ForkServer
    def serve(requests, answers)
      greet(answers)
      while (line = requests.gets)
        respond(JSON.parse(line), answers)
      end
    end

    private

    def greet(answers)
      synthdefs = SonicPi::Synths::SynthInfo::BY_SYNTHDEF.transform_values { |info| defaults(info) }
      write(answers, synthdefs: synthdefs)
    end

    def defaults(info)
      known = info.arg_defaults
      known.keys.to_h do |key|
        value = known[key]
        value = known[value] while value.is_a?(Symbol)
        [key, value.is_a?(Numeric) ? value.to_f : nil]
      end.compact
    end

    def respond(request, answers)
      @limits = request["limits"]
      began = seconds_now
      reading, writing = IO.pipe(binmode: true)
      child = Process.fork { perform(request, reading, writing, answers) }
      writing.close
      text, ending = collect(reading, began + @limits["wall_seconds"])
      Process.kill(:KILL, child)
      _, status = Process.wait2(child)
      reading.close
      ending = judge(text, ending, status)
      write(answers, end: ending, seconds: seconds_now - began)
      answers.write(text, "\n") if ending == "answered"
      answers.flush
    end

    # Reads until the program closes its pipe, up to the deadline and the byte limit.
    def collect(reading, deadline)
      text = String.new
      loop do
        remaining = deadline - seconds_now
        return [text, "deadline"] if remaining <= 0 || !reading.wait_readable(remaining)

        text << reading.readpartial(1 << 16)
        return [text, "flood"] if text.bytesize > @limits["answer_bytes"]
      end
    rescue EOFError
      [text, "closed"]
    end

    def judge(text, ending, status)
      return ending unless ending == "closed"
      return "answered" if text.end_with?("}") && !text.include?("\n")
      return "cpu" if status.signaled? && status.termsig == Signal.list["XCPU"]

      "silent"
    end

    def perform(request, reading, writing, answers)
      reading.close
      answers.close
      [STDIN, STDERR].each { |stream| stream.reopen(File::NULL, "r+") }
      GC.define_singleton_method(:start) { |**| nil } # the language asks for one at every start
      writing.write(JSON.generate(answer(request), allow_nan: true))
    ensure
      writing.close
      exit!(0)
    end

    def answer(request)
      Confinement.enter(@limits)
      Performance.of(request["code"], request["seconds"], @limits)
    rescue Confinement::Unavailable => e
      { failure: "confinement", message: e.message }
    rescue Exception => e # rubocop:disable Lint/RescueException -- reported to the caller as data
      { failure: "runtime", message: "#{e.class}: #{e.message} (#{e.backtrace&.first})"[0, 2000] }
    end

    def write(answers, fields)
      answers.write(JSON.generate(fields), "\n")
      answers.flush
    end

    def seconds_now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end

GC.start
Antiphon::ForkServer.new.serve(STDIN, CHANNEL)
