# frozen_string_literal: true

# A virtual clock and cooperative threads. What a program takes for a thread is a strand, carried by
# a fiber: one strand runs at a time, time moves only when every strand waits, and strands change
# places only where they block, in an order that depends on nothing but the program. So a run gives
# the same bytes every time, and no wake-up costs a call to the system.
#
# Time is an integer count of nanoseconds since EPOCH_SECONDS of the Unix epoch; a small epoch keeps
# the rationals inside Time short.
module Antiphon
  # Stands for a thread: what Thread.new gives and Thread.current is while the scheduler runs.
  class Strand
    attr_reader :joiners, :job
    attr_accessor :fiber, :ticket, :waiting_in, :finished, :doomed, :leaving, :pending_error,
                  :failure, :result, :priority, :name, :report_on_exception, :abort_on_exception

    def initialize(job = nil)
      @job = job
      @joiners = []
      @ticket = 0
      @priority = 0
      @variables = {}
      @locals = {}
    end

    def thread_variable_get(key) = @variables[key.to_sym]
    def thread_variable_set(key, value) = @variables[key.to_sym] = value
    def thread_variable?(key) = @variables.key?(key.to_sym)
    def thread_variables = @variables.keys
    def [](key) = @locals[key.to_sym]
    def []=(key, value)
      @locals[key.to_sym] = value
    end
    def key?(key) = @locals.key?(key.to_sym)

    # Waits until the strand has ended, at most `limit` seconds; raises what ended it, if anything.
    def join(limit = nil)
      deadline = limit && (Scheduler.now + (limit * Scheduler::NANOSECONDS).round)
      until finished
        return nil if deadline && Scheduler.now >= deadline

        Scheduler.park(joiners, deadline)
      end
      Kernel.raise(failure) if failure
      self
    end

    def value
      join
      result
    end

    def kill
      equal?(Scheduler.current) ? throw(self) : Scheduler.doom(self)
      self
    end
    alias exit kill
    alias terminate kill

    def raise(*error)
      error = [RuntimeError, "unhandled exception"] if error.empty?
      Kernel.raise(*error) if equal?(Scheduler.current)

      self.pending_error = error
      Scheduler.wake(self) unless finished
    end

    def wakeup
      Scheduler.wake(self) unless finished
      self
    end
    alias run wakeup

    def alive? = !finished
    def stop? = !equal?(Scheduler.current)
    def backtrace = []

    def status
      return "run" if equal?(Scheduler.current)

      finished ? (failure ? nil : false) : "sleep"
    end
  end

  Timer = Struct.new(:time, :target, :ticket)

  # Who runs next, and what time it is.
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

      # Makes the caller the first strand; virtual time starts here.
      def start
        @now = 0
        @ready = []
        @timers = [] # latest first, so that the earliest is popped from the end
        @idle = [] # fibers whose strand has ended
        @current = Strand.new
        @current.fiber = Fiber.current
        @running = true
      end

      def spawn(job)
        strand = Strand.new(job)
        @ready << strand
        strand
      end

      # Calls `block` at virtual `time` in whatever strand runs then; it must not block.
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

      # Lets others run until woken, out of `waiting_in` or at `deadline`, whichever is first.
      def park(waiting_in = nil, deadline = nil)
        me = @current
        waiting_in&.push(me)
        me.waiting_in = waiting_in
        insert(Timer.new(deadline, me, me.ticket)) if deadline
        following = next_strand
        switch_to(following) unless following.equal?(me)
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

          fire(@timers.pop)
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

      def switch_to(strand)
        @current = strand
        return strand.fiber.transfer if strand.fiber

        strand.fiber = @idle.pop || Fiber.new { |first| carry(first) }
        strand.fiber.transfer(strand)
      end

      # The life of a fiber: one strand after another.
      def carry(strand)
        loop do
          perform(strand)
          fiber = strand.fiber
          strand = next_strand
          if strand.fiber
            @idle.push(fiber)
            strand = switch_to(strand) # comes back with the next strand to carry
          else
            strand.fiber = fiber
            @current = strand
          end
        end
      end

      def perform(strand)
        catch(strand) { strand.result = strand.job.call unless strand.doomed }
      rescue SystemExit
        nil # `exit` inside a thread ends that thread, not the renderer
      rescue Exception => e # rubocop:disable Lint/RescueException -- kept for whoever joins
        strand.failure = e
      ensure
        strand.finished = true
        wake_all(strand.joiners)
      end

      def arrive(strand)
        if strand.doomed && !strand.leaving
          strand.leaving = true
          throw strand
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

      Scheduler.spawn(arguments.empty? ? block : -> { block.call(*arguments) })
    end

    def start(...) = new(...)
    def fork(...) = new(...)

    def current
      Scheduler.running? ? Scheduler.current : super
    end

    def pass
      Scheduler.running? ? Scheduler.settle : super
    end

    def stop
      Scheduler.running? ? Scheduler.park : super
    end

    def exit
      Scheduler.running? ? Scheduler.current.kill : super
    end

    def kill(thread)
      Scheduler.running? ? thread.kill : super
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
Kernel.singleton_class.prepend(Antiphon::VirtualSleep)
Time.singleton_class.prepend(Antiphon::VirtualTime)

class Object
  private

  def sleep(...)
    Kernel.sleep(...)
  end
end
