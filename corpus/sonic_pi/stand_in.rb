# frozen_string_literal: true

require_relative "scheduler"

# A stand-in for the synthesis server: it makes no sound, writes down every message with its time,
# and answers as the server would, at the virtual time at which the server would.
module Antiphon
  class TooManyMessages < StandardError; end

  # Every message of a run as [nanoseconds of virtual time, address, arguments...].
  class Recording
    attr_reader :messages

    def initialize(limit)
      @messages = []
      @limit = limit
    end

    def add(time, address, arguments)
      if @messages.size >= @limit
        raise TooManyMessages, "a run may send at most #{@limit} messages to the synthesis server"
      end
      @messages << [time, address, *arguments]
    end
  end

  # Frames, channels and rate of a sound file, read from its first bytes.
  module SoundFileHeader
    def self.read(path)
      File.open(path, "rb") do |file|
        case file.read(4)
        when "fLaC" then flac(file)
        when "RIFF" then wav(file)
        else raise IOError, "#{path} is neither FLAC nor WAV"
        end
      end
    end

    def self.flac(file)
      file.read(14) # block header, block and frame sizes
      bits = file.read(8).unpack1("Q>") # 20 bits rate, 3 channels, 5 depth, 36 frames
      [bits & 0xFFFFFFFFF, ((bits >> 41) & 7) + 1, bits >> 44]
    end

    def self.wav(file)
      file.read(8)
      channels = rate = width = nil
      while (header = file.read(8))
        name, size = header.unpack("a4V")
        return [size / width, channels, rate] if name == "data"

        body = file.read(size + (size & 1))
        _, channels, rate, _, width = body.unpack("vvVVv") if name == "fmt "
      end
      raise IOError, "WAV file without data"
    end
  end

  # Which node lives in which group; node 0 is the root.
  class NodeTree
    def initialize
      @parents = { 0 => nil }
      @children = Hash.new { |hash, key| hash[key] = [] }
    end

    def add(id, position, target)
      parent = position < 2 ? target : @parents.fetch(target, 0)
      @parents[id] = parent
      @children[parent] << id
      parent
    end

    def add_group(id, position, target)
      @children[id]
      add(id, position, target)
    end

    def move(id, position, target)
      @children[@parents[id]].delete(id)
      add(id, position, target)
    end

    def include?(id)
      @parents.key?(id)
    end

    # Takes a node and all below it out; gives their ids, leaves first.
    def remove(id)
      below = descend(id)
      @children[@parents[id]].delete(id)
      (below << id).each do |gone|
        @parents.delete(gone)
        @children.delete(gone)
      end
    end

    def children(id)
      @children.key?(id) ? @children[id].dup : []
    end

    def group?(id)
      @children.key?(id)
    end

    private

    def descend(id)
      children(id).flat_map { |child| descend(child) << child }
    end
  end

  # How long a node sounds, in seconds; nil if only a message ends it.
  module Lifetime
    ENVELOPE = %w[attack decay sustain release].freeze

    def self.of(name, arguments, info, buffers)
      return nil if info.nil? || name.start_with?("sonic-pi-fx_", "sonic-pi-live_audio")

      if name.end_with?("_player")
        sample(arguments, info, buffers)
      else
        envelope(arguments, info)
      end
    end

    def self.envelope(arguments, info)
      times = ENVELOPE.map { |key| number(arguments, info, key) }
      times.all?(&:nil?) ? nil : times.compact.sum
    end

    def self.sample(arguments, info, buffers)
      frames, _, rate = buffers[arguments["buf"].to_i]
      speed = (number(arguments, info, "rate") || 1.0).abs
      return nil if frames.nil? || speed.zero?

      span = (number(arguments, info, "finish") || 1.0) - (number(arguments, info, "start") || 0.0)
      played = span.abs * frames / rate / speed
      sustain = number(arguments, info, "sustain") || -1
      sustain.negative? ? played : [played, envelope(arguments, info)].min
    end

    def self.number(arguments, info, key)
      value = arguments[key] || info.arg_defaults[key.to_sym]
      value = arguments[value.to_s] || info.arg_defaults[value] while value.is_a?(Symbol)
      value.is_a?(Numeric) ? value : nil
    end
  end
end

module SonicPi
  # Takes the place of the class that talks to a real synthesis server.
  class SCSynthExternal
    SERVER_INFO = [
      44_100.0, 1 / 44_100.0, 2 * Math::PI / 44_100, 44_100 / 64.0, 64 / 44_100.0, 0.0,
      16, 16, 1024, 16_384, 4096
    ].freeze

    attr_reader :version

    def initialize(events, _options = {})
      @events = events
      @version = "virtual"
      @tree = ::Antiphon::NodeTree.new
      @buffers = {}
    end

    def self.recording
      @@recording
    end

    def self.recording=(recording)
      @@recording = recording
    end

    def send(address, *arguments)
      @@recording.add(Scheduler.now, address, arguments)
      answer(address, arguments)
    end

    def send_at(time, address, *arguments)
      nanoseconds = nanoseconds_of(time)
      @@recording.add(nanoseconds, address, arguments)
      if nanoseconds <= Scheduler.now
        answer(address, arguments)
      else
        Scheduler.at(nanoseconds) { answer(address, arguments) }
      end
    end

    def booted?
      true
    end

    def reboot; end
    def shutdown; end

    private

    def nanoseconds_of(time)
      ((time.to_i - ::Antiphon::Scheduler::EPOCH_SECONDS) * ::Antiphon::Scheduler::NANOSECONDS) + time.nsec
    end

    def answer(address, arguments)
      case address
      when "/s_new" then start_synth(arguments)
      when "/g_new" then tell("/n_go/", arguments[0], @tree.add_group(*arguments))
      when "/n_free" then arguments.each { |id| end_node(id) }
      when "/g_freeAll" then arguments.each { |id| @tree.children(id).each { |below| end_node(below) } }
      when "/g_deepFree" then arguments.each { |id| free_synths(id) }
      when "/n_order" then order(*arguments)
      when "/n_run" then arguments.each_slice(2) { |id, on| tell(on.zero? ? "/n_off/" : "/n_on/", id) }
      else answer_query(address, arguments)
      end
    end

    def answer_query(address, arguments)
      case address
      when "/b_allocRead" then read_buffer(*arguments)
      when "/b_alloc"
        @buffers[arguments[0]] = [arguments[1].to_i, arguments[2], 44_100]
        done(address, arguments[0])
      when "/b_query" then @events.async_event("/b_info", [arguments[0], *@buffers[arguments[0]]])
      when "/b_write", "/b_close" then done(address, arguments[0])
      when "/d_loadDir" then done(address)
      when "/sync" then @events.async_event("/synced", [arguments[0]])
      when "/status" then @events.async_event("/status.reply", [1, 0, 0, 0, 0, 0.0, 0.0, 44_100.0, 44_100.0])
      end
    end

    def done(*payload)
      @events.async_event("/done", payload)
    end

    def read_buffer(id, path, *_)
      @buffers[id] = ::Antiphon::SoundFileHeader.read(path)
      done("/b_allocRead", id)
    rescue SystemCallError, IOError => e
      @events.async_event("/fail", ["/b_allocRead", e.message, id])
    end

    def start_synth(arguments)
      name, id, position, target, *pairs = arguments
      return @events.async_event("/sonic-pi/server-info", [id, 0, *SERVER_INFO]) if name.end_with?("server-info")

      tell("/n_go/", id, @tree.add(id, position, target))
      info = Synths::SynthInfo.info_of_synthdef(name)
      seconds = ::Antiphon::Lifetime.of(name, Hash[*pairs], info, @buffers)
      Scheduler.at(Scheduler.now + (seconds * Scheduler::NANOSECONDS).round) { end_node(id) } if seconds
    end

    def end_node(id)
      return unless @tree.include?(id) && id != 0

      @tree.remove(id).each { |gone| tell("/n_end/", gone) }
    end

    def free_synths(id)
      @tree.children(id).each { |below| @tree.group?(below) ? free_synths(below) : end_node(below) }
    end

    def order(position, target, *ids)
      ids.each { |id| tell("/n_move/", id, @tree.move(id, position, target)) if @tree.include?(id) }
    end

    def tell(address, id, *payload)
      @events.async_event([address, id], [id, *payload])
    end
  end
end
