# frozen_string_literal: true

# Loads the installed Sonic Pi language runtime and fits it to virtual time: no sockets, no helper
# processes, no window; messages to the window become lists. Needs SERVER_FOLDER (…/server/ruby).
require "json"
require "set"
require_relative "locks"
require_relative "stand_in"

StandIn = SonicPi::SCSynthExternal # keep ours: the installed file would reopen the class
SonicPi.send(:remove_const, :SCSynthExternal)
require "#{SERVER_FOLDER}/core.rb"
%w[studio server util osc/osc lang/core lang/minecraftpi lang/midi lang/ixi lang/sound runtime].each do |part|
  require "#{SERVER_FOLDER}/lib/sonicpi/#{part}"
end
require "memoist"

module SonicPi
  remove_const :SCSynthExternal
  SCSynthExternal = StandIn

  # A value that is given once; whoever waits for it lets others run, without a wall-clock limit.
  class Promise
    def initialize
      @delivered = false
      @value = nil
      @waiters = []
    end

    def get(_timeout = nil)
      ::Antiphon::Scheduler.park(@waiters) until @delivered
      @value
    end

    def deliver!(value, raise_error = true)
      if @delivered
        raise PromiseAlreadyDeliveredError, "promise already delivered" if raise_error

        return
      end
      @value = value
      @delivered = true
      ::Antiphon::Scheduler.wake_all(@waiters)
      value
    end
  end

  # Programs have no network: messages to other programs go nowhere.
  module OSC
    class UDPClient
      def initialize(*, **); end
      def send(*, **); end
      def send_ts(*, **); end
      def stop; end
    end

    class UDPServer
      def initialize(*, **); end
      def send(*, **); end
      def send_ts(*, **); end
      def add_method(*, **); end
      def add_global_method(*, **); end
      def stop; end
    end
  end

  class GitSave
    def initialize(*); end
    def save!(*); end
  end

  # No helper processes and no pause between runs.
  class Studio
    def start_erlang; end
    def init_or_reset_midi(_silent = false); end
    def start_midi(_silent = false); end
    def stop_midi(_silent = false); end
    def pause(_silent = true); end
    def start(_silent = true); end

    private

    def message(_text); end
    def log_message(_text); end
  end

  # Every sound is scheduled the same time ahead, whatever a program asks for: latency is no music.
  class Server
    SCHEDULE_AHEAD_SECONDS = 0.5

    def sched_ahead_time
      SCHEDULE_AHEAD_SECONDS
    end

    def info(_text); end
    def message(_text); end
  end

  # Instead of a millisecond of real time, a read of shared state waits until all others have run.
  class EventHistory
    private

    def wait_for_threads(_time)
      ::Antiphon::Scheduler.settle
      true
    end
  end

  module Synths
    class SynthInfo
      BY_SYNTHDEF = get_all.values.to_h { |info| [info.scsynth_name, info] }.freeze

      def self.info_of_synthdef(name)
        BY_SYNTHDEF[name]
      end
    end
  end
end

module Antiphon
  class TooMuchOutput < StandardError; end

  # What a run says: the lines a player would read in the log, and its errors as data.
  class Transcript
    ERRORS_KEPT = 100

    attr_reader :lines, :errors
    attr_accessor :on_completed

    def initialize(line_limit, byte_limit)
      @lines = []
      @errors = []
      @line_limit = line_limit
      @byte_limit = byte_limit
      @bytes = 0
    end

    # Counts a line before it is kept, so that a flood ends the thread that makes it.
    def charge(text)
      @bytes += text.bytesize
      @count = (@count || 0) + 1
      return if @count <= @line_limit && @bytes <= @byte_limit

      raise TooMuchOutput, "a run may write at most #{@line_limit} lines and #{@byte_limit} bytes to the log"
    end

    # The runtime's queue of messages to the window.
    def push(message)
      case message[:type]
      when :all_jobs_completed then on_completed&.call
      when :syntax_error then add_error("syntax", message[:val].to_s, message[:line])
      end
    end
    alias << push

    def add_error(kind, text, line, thread = nil)
      return if @errors.size >= ERRORS_KEPT

      text = text.dup.force_encoding("UTF-8").scrub("?")[0, 2000]
      @errors << { kind: kind, message: text.strip, line: line&.positive? ? line : nil, thread: thread }
    end
  end

  # The installed language as its own server puts it together; including a part may wrap `initialize`.
  class InstalledLanguage < SonicPi::Runtime
    USER_METHODS = Module.new # where `define` and `live_loop` put the functions of a program
    include USER_METHODS
    [Core = SonicPi::Lang::Core, SonicPi::Lang::Sound, SonicPi::Lang::Minecraft, SonicPi::Lang::Midi,
     SonicPi::Lang::Ixi, SonicPi::Lang::Support::DocSystem].each { |part| include part }
    extend Memoist
    Core.memoizable_fns.each { |function| memoize function }
  end

  # The same with its messages collected inline instead of by threads of their own.
  class Language < InstalledLanguage
    WORKSPACE = "program"
    PORTS = Hash.new(0).freeze

    def initialize(transcript)
      @transcript = transcript
      super(PORTS, transcript, USER_METHODS)
      @register_cue_event_lambda = method(:register_cue)
      # Read at every sleep and hardly ever set: not worth a change of strands.
      @system_state.define_singleton_method(:wait_for_threads) { |_time| true }
    end

    def inspect
      "Runtime"
    end

    def __server_version
      @version
    end

    def load_snippets(*); end

    def __set_default_user_thread_locals!
      super
      __thread_locals.set :sonic_pi_mod_sound_synth_silent, true
      __thread_locals.set :sonic_pi_suppress_cue_logging, true
    end

    def __enqueue_multi_message(_kind, text)
      text = text.to_s
      @transcript.charge(text)
      @transcript.lines << text
    end

    def __schedule_delayed_blocks_and_messages!; end

    def __info(*); end

    def __error(error, _where = nil)
      thread = __system_thread_locals.get(:sonic_pi_local_spider_users_thread_name)
      text = error.is_a?(SyntaxError) ? error.message : "#{error.class}: #{error.message}"
      places = error.is_a?(SyntaxError) ? [error.message] : error.backtrace.to_a
      line = places.filter_map { |place| place[/\A#{WORKSPACE}:(\d+)/o, 1] }.first
      @transcript.add_error(error.is_a?(SyntaxError) ? "syntax" : "runtime", text, line&.to_i, thread&.to_s)
    end

    private

    def register_cue(time, priority, thread, delta, beat, bpm, address, arguments, _ahead = 0)
      address = address.first if address.is_a?(Array)
      @event_history.set(time, priority, thread, delta, beat, bpm, address.to_s.freeze,
                         arguments.__sp_make_thread_safe)
    end
  end

  # Chance that the language does not manage comes from fixed seeds as well.
  module FixedChance
    @drawn = 0

    def self.next_seed
      @drawn += 1
    end

    def new(seed = FixedChance.next_seed)
      super
    end

    def self.install
      srand(0)
      Random.singleton_class.prepend(self)
      SecureRandom.define_singleton_method(:gen_random) { |count| Random.bytes(count) }
    end
  end

  # One program, from its text to its messages.
  module Performance
    # Gives the recording as a hash: messages (times in nanoseconds from the start of the program),
    # log, errors, and the virtual second at which all was over (nil: it would go on).
    def self.of(code, seconds, limits)
      transcript = Transcript.new(limits["log_lines"], limits["log_bytes"])
      recording = SonicPi::SCSynthExternal.recording = Recording.new(limits["messages"])
      FixedChance.install
      Scheduler.start
      language = Language.new(transcript)
      start = Scheduler.now
      finished = play(language, transcript, code, seconds)
      { messages: relative(recording.messages, start), log: transcript.lines, errors: transcript.errors,
        finished: finished && ((finished - start) / 1e9) }
    end

    def self.play(language, transcript, code, seconds)
      main = Scheduler.current
      finished = nil
      transcript.on_completed = lambda do
        finished = Scheduler.now
        Scheduler.wake(main)
      end
      # The language numbers lines from 0 (its window sends a line of its own first).
      language.__spider_eval("\n#{code}", workspace: +Language::WORKSPACE)
      horizon = seconds + SonicPi::Server::SCHEDULE_AHEAD_SECONDS
      Scheduler.sleep_until(Scheduler.now + (horizon * Scheduler::NANOSECONDS).round)
      finished
    end

    def self.relative(messages, start)
      messages.each { |message| message[0] = [message[0] - start, 0].max }
    end
  end
end
