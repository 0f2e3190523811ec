# frozen_string_literal: true

require_relative "scheduler"

# The blocking primitives that the Sonic Pi language runtime finds in its own namespace, made of
# cooperative strands: waiting passes the baton on. They are defined before the runtime is loaded.
module SonicPi
  Scheduler = ::Antiphon::Scheduler

  # A lock that is handed to the longest waiting strand.
  class Mutex
    def initialize
      @owner = nil
      @waiters = []
    end

    def lock
      me = Scheduler.current
      raise ThreadError, "deadlock; recursive locking" if @owner && @owner.equal?(me)

      @owner ? await(me) : @owner = me || :boot
      self
    end

    def try_lock
      return false if @owner

      @owner = Scheduler.current || :boot
      true
    end

    def unlock
      @owner = @waiters.first
      Scheduler.wake(@owner) if @owner
      self
    end

    def synchronize
      lock
      begin
        yield
      ensure
        unlock
      end
    end

    def locked?
      !@owner.nil?
    end

    def owned?
      !@owner.nil? && @owner.equal?(Scheduler.current)
    end

    private

    # A strand that is killed just as it is given the lock passes it on.
    def await(strand)
      Scheduler.park(@waiters) until @owner.equal?(strand)
      arrived = true
    ensure
      unlock if !arrived && @owner.equal?(strand)
    end
  end

  # A first-in first-out queue without a bound; the scheduler itself delivers into it.
  class Queue
    def initialize(items = [])
      @items = items.to_a.dup
      @waiters = []
    end

    def push(item)
      @items.push(item)
      Scheduler.wake(@waiters.first) unless @waiters.empty?
      self
    end
    alias << push
    alias enq push

    def pop(non_block = false)
      raise ThreadError, "queue empty" if non_block && @items.empty?

      Scheduler.park(@waiters) while @items.empty?
      @items.shift
    end
    alias shift pop
    alias deq pop

    def clear
      @items.clear
      self
    end

    def empty?
      @items.empty?
    end

    def size
      @items.size
    end
    alias length size
  end

  # The language bounds some queues to slow their writers down; virtual time needs no such brake.
  class SizedQueue < Queue
    def initialize(_bound)
      super()
    end
  end

  # Waits for a signal with a lock let go.
  class ConditionVariable
    def initialize
      @waiters = []
    end

    def wait(mutex, timeout = nil)
      deadline = timeout && Scheduler.now + (timeout * Scheduler::NANOSECONDS).round
      mutex.unlock
      Scheduler.park(@waiters, deadline)
      mutex.lock
      self
    end

    def signal
      Scheduler.wake(@waiters.first) unless @waiters.empty?
      self
    end

    def broadcast
      Scheduler.wake_all(@waiters)
      self
    end
  end
end
