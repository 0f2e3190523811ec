# frozen_string_literal: true

# A virtual clock and cooperative threads: one strand (a real Ruby thread) runs at a time, and time
# moves only when every strand waits. Strands change places only where they block, in an order that
# depends on nothing but the program, so a run gives the same bytes every time.
#
# Time is an integer count of nanoseconds since EPOCH_SECONDS of the Unix epoch; a small epoch keeps
# the rationals inside Time short.
module Antiphon
  # A thread with a gate: it runs while it holds the baton, and waits at its gate otherwise.
  class Strand
    attr_reader :gate, :joiners
    attr_accessor :ticket, :waiting_in, :finished, :doomed, :leaving, :pending_error

    def initialize
      @gate = ::Thread::Queue.new
      @joiners = []
      @ticket = 0
    end
  end

  Timer = Struct.new(:time, :target, :ticket)

  # Who runs next, and what time it is. All of it is touched only by the holder of the baton.
  module Scheduler
    NANOSECONDS = 1_000_000_000
    EPOCH_SECONDS = 1000

    @running = false
    @now = 0

    class << self
      attr_reader :now, :current

      def running?
        @running
      end

      # Makes the calling thread the first strand; virtual time starts here.
      def start
        @now = 0
        @ready = []
        @timers = [] # latest first, so that the earliest is popped from the end
        @current = Thread.current.strand = Strand.new
        @running = true
      end

      # Calls `block` at virtual `time` in whatever strand holds the baton; it must not block.
      def at(time, &block)
        insert(Timer.new(time, block, nil))
      end

      def sleep_until(time)
        park(nil, time)
      end

      # Lets every strand that can run now run first; takes no virtual time.
      def settle
        park(nil, @now) unless @ready.empty? && (@timers.empty? || @timers.last.time > @now)
      end

      # Gives up the baton until woken, out of `waiting_in` or at `deadline`, whichever is first.
      def park(waiting_in = nil, deadline = nil)
        me = @current
        waiting_in&.push(me)
        me.waiting_in = waiting_in
        insert(Timer.new(deadline, me, me.ticket)) if deadline
        following = next_strand
        unless following.equal?(me)
          @current = following
          following.gate.push(true)
          me.gate.pop
        end
        arrive(me)
      end

      def wake(strand)
        strand.waiting_in&.delete(strand)
        strand.waiting_in = nil
        strand.ticket += 1
        @ready << strand
      end

      def wake_all(waiting)
        wake(waiting.first) until waiting.empty?
      end

      # The body of every thread that a program or the language makes.
      def enter(strand)
        strand.gate.pop
        yield unless strand.doomed
      rescue SystemExit
        nil # `exit` inside a thread ends that thread, not the renderer
      ensure
        strand.finished = true
        wake_all(strand.joiners)
        @current = next_strand
        @current.gate.push(true)
      end

      def adopt(strand)
        @ready << strand
      end

      # Ends another strand the next time it would run, as Thread#kill does.
      def doom(strand)
        strand.doomed = true
        wake(strand) unless strand.finished || @ready.include?(strand)
      end

      private

      def insert(timer)
        time = timer.time
        index = @timers.bsearch_index { |other| other.time <= time }
        index ? @timers.insert(index, timer) : @timers.push(timer)
      end

      def next_strand
        loop do
          return @ready.shift unless @ready.empty?

          timer = @timers.pop
          fire(timer)
        end
      end

      def fire(timer)
        @now = timer.time if timer.time > @now
        if timer.ticket.nil?
          timer.target.call
        elsif timer.target.ticket == timer.ticket
          wake(timer.target)
        end
      end

      def arrive(strand)
        if strand.doomed && !strand.leaving
          strand.leaving = true
          Thread.exit
        elsif strand.pending_error
          error = strand.pending_error
          strand.pending_error = nil
          raise(*error)
        end
      end
    end
  end

  # Thread.new and its kin make strands once the scheduler runs.
  module StrandFactory
    def new(*arguments, &block)
      return super unless Scheduler.running?
      raise ThreadError, "must be called with a block" unless block

      strand = Strand.new
      thread = super() { Scheduler.enter(strand) { block.call(*arguments) } }
      thread.strand = strand
      thread.report_on_exception = false
      Scheduler.adopt(strand)
      thread
    end

    def start(...) = new(...)
    def fork(...) = new(...)

    def pass
      Scheduler.running? ? Scheduler.settle : super
    end
  end

  # Joining, killing and interrupting a strand hand the baton on instead of blocking the process.
  module StrandThread
    attr_accessor :strand

    def join(limit = nil)
      return super unless strand && Scheduler.running?

      deadline = limit && Scheduler.now + (limit * Scheduler::NANOSECONDS).round
      Scheduler.park(strand.joiners, deadline) until strand.finished || past?(deadline)
      strand.finished ? super() : nil
    end

    def value
      join
      super
    end

    def kill
      return super if strand.nil? || equal?(Thread.current)

      Scheduler.doom(strand)
      self
    end
    alias exit kill
    alias terminate kill

    def raise(*error)
      return super if strand.nil? || equal?(Thread.current)

      strand.pending_error = error.empty? ? [RuntimeError, "unhandled exception"] : error
      Scheduler.wake(strand) unless strand.finished
    end

    def alive?
      strand ? !strand.finished : super
    end

    private

    def past?(deadline)
      deadline && Scheduler.now >= deadline
    end
  end

  # Kernel.sleep takes virtual time.
  module VirtualSleep
    def sleep(seconds = nil)
      return super(*seconds) unless Scheduler.running?
      return Scheduler.park if seconds.nil?
      raise ArgumentError, "sleep needs a time of 0 or more, got #{seconds}" if seconds.negative?

      Scheduler.sleep_until(Scheduler.now + (seconds * Scheduler::NANOSECONDS).round)
      seconds.round
    end
  end

  # Time.now and Time.new tell virtual time.
  module VirtualTime
    def now(**)
      return super unless Scheduler.running?

      seconds, nanoseconds = Scheduler.now.divmod(Scheduler::NANOSECONDS)
      at(Scheduler::EPOCH_SECONDS + seconds, nanoseconds, :nsec)
    end

    def new(*arguments, **options)
      arguments.empty? && options.empty? && Scheduler.running? ? now : super
    end
  end
end

Thread.singleton_class.prepend(Antiphon::StrandFactory)
Thread.prepend(Antiphon::StrandThread)
Kernel.singleton_class.prepend(Antiphon::VirtualSleep)
Time.singleton_class.prepend(Antiphon::VirtualTime)

class Object
  private

  def sleep(...)
    Kernel.sleep(...)
  end
end
