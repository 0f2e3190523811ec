# frozen_string_literal: true

# What a program may ask of the machine: after `Confinement.enter` this process can compute, read
# what it sees and write to pipes it holds, and nothing else. Resource limits bound CPU time and
# memory; a seccomp filter lets through the system calls listed here and refuses all others with
# "Operation not permitted", so no new process or
# thread (the language runs on fibers), no socket, no signal to others, no file written.
module Antiphon
  module Confinement
    class Unavailable < StandardError; end

    # System call numbers: name => [x86_64, aarch64]; nil where the machine has no such call.
    ALLOWED = {
      read: [0, 63], write: [1, 64], close: [3, 57], stat: [4, nil], fstat: [5, 80], lstat: [6, nil],
      poll: [7, nil], lseek: [8, 62], mmap: [9, 222], mprotect: [10, 226], munmap: [11, 215],
      brk: [12, 214], rt_sigaction: [13, 134], rt_sigprocmask: [14, 135], rt_sigreturn: [15, 139],
      ioctl: [16, 29], pread64: [17, 67], readv: [19, 65], writev: [20, 66], access: [21, nil],
      pipe: [22, nil], select: [23, nil], sched_yield: [24, 124], mremap: [25, 216],
      mincore: [27, 232], madvise: [28, 233], dup: [32, 23], dup2: [33, nil], nanosleep: [35, 101],
      getitimer: [36, 102], setitimer: [38, 103], getpid: [39, 172], exit: [60, 93],
      uname: [63, 160], getcwd: [79, 17], chdir: [80, 49], fchdir: [81, 50], readlink: [89, nil], getrlimit: [97, 163],
      getrusage: [98, 165], sysinfo: [99, 179], times: [100, 153], getuid: [102, 174],
      getgid: [104, 176], geteuid: [107, 175], getegid: [108, 177], getppid: [110, 173],
      getresuid: [118, 148], getresgid: [120, 150], sigaltstack: [131, 132], arch_prctl: [158, nil], gettid: [186, 178], time: [201, nil],
      futex: [202, 98], sched_getaffinity: [204, 123], getdents64: [217, 61],
      set_tid_address: [218, 96], restart_syscall: [219, 128], timer_create: [222, 107],
      timer_settime: [223, 110], timer_gettime: [224, 108], timer_getoverrun: [225, 109],
      timer_delete: [226, 111], clock_gettime: [228, 113], clock_getres: [229, 114],
      clock_nanosleep: [230, 115], exit_group: [231, 94], epoll_wait: [232, nil],
      epoll_ctl: [233, 21], newfstatat: [262, 79], readlinkat: [267, 78], faccessat: [269, 48],
      pselect6: [270, 72], ppoll: [271, 73], set_robust_list: [273, 99], epoll_pwait: [281, 22],
      eventfd2: [290, 19], epoll_create1: [291, 20], dup3: [292, 24], pipe2: [293, 59],
      preadv: [295, 69], getrandom: [318, 278], membarrier: [324, 283], statx: [332, 291],
      rseq: [334, 293], faccessat2: [439, 439]
    }.freeze
    # Let through only with harmless arguments.
    FCNTL = [72, 25].freeze
    OPEN = [2, nil].freeze
    OPENAT = [257, 56].freeze
    PRCTL = [157, 167].freeze
    PRLIMIT64 = [302, 261].freeze
    SECCOMP = [317, 277].freeze
    TGKILL = [234, 131].freeze

    MACHINES = { "x86_64" => [0, 0xC000003E], "aarch64" => [1, 0xC00000B7] }.freeze

    LOAD = 0x20 # BPF_LD | BPF_W | BPF_ABS
    EQUAL = 0x15
    AT_LEAST = 0x35
    ANY_BIT = 0x45
    RETURN = 0x06
    ALLOW = 0x7FFF0000
    REFUSE = 0x00050000 | 1 # EPERM
    NUMBER_OFFSET = 0
    MACHINE_OFFSET = 4
    X32_BIT = 0x40000000
    WRITING = 0o3 | 0o100 | 0o1000 | 0o20000000 # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE
    SIGNAL_OWNERS = [8, 10, 15].freeze # F_SETOWN, F_SETSIG, F_SETOWN_EX
    PR_SET_PDEATHSIG = 1 # the program dies with its server
    PR_SET_NAME = 15
    PR_SET_NO_NEW_PRIVS = 38
    SET_MODE_FILTER = 1
    ALL_THREADS = 1

    class << self
      def enter(limits)
        limit(:CORE, 0)
        limit(:FSIZE, 0)
        limit(:AS, limits["memory_bytes"])
        cpu = limits["cpu_seconds"]
        Process.setrlimit(Process::RLIMIT_CPU, cpu, cpu + 1)
        filter_system_calls
      end

      private

      def limit(resource, value)
        Process.setrlimit(resource, value, value)
      end

      def filter_system_calls
        machine = RbConfig::CONFIG["host_cpu"]
        column, audit = MACHINES.fetch(machine) do
          raise Unavailable, "no system call table for #{machine}"
        end
        rows = instructions(column, audit)
        program = rows.map { |row| row.pack("SCCL") }.join
        head = [rows.size, address(program)].pack("Sx6J")
        call(PRCTL[column], PR_SET_PDEATHSIG, Signal.list["KILL"], 0, 0, 0)
        call(PRCTL[column], PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        call(SECCOMP[column], SET_MODE_FILTER, ALL_THREADS, address(head))
      end

      def call(*arguments)
        Kernel.syscall(*arguments)
      rescue SystemCallError => e
        raise Unavailable, "the kernel refused a system call filter: #{e.message}"
      end

      def address(bytes)
        [bytes].pack("P#{bytes.bytesize}").unpack1("J")
      end

      # Each row is [code, jump if true, jump if false, value].
      def instructions(column, audit)
        [[LOAD, 0, 0, MACHINE_OFFSET], [EQUAL, 1, 0, audit], [RETURN, 0, 0, REFUSE],
         [LOAD, 0, 0, NUMBER_OFFSET], [AT_LEAST, 0, 1, X32_BIT], [RETURN, 0, 0, REFUSE],
         *ALLOWED.values.filter_map { |numbers| numbers[column] }.flat_map { |n| on(n, answer(ALLOW)) },
         *conditional(column),
         *answer(REFUSE)]
      end

      def conditional(column)
        { OPENAT => lacking(2, WRITING), OPEN => lacking(1, WRITING),
          FCNTL => none_of(1, SIGNAL_OWNERS), PRCTL => equal(0, PR_SET_NAME),
          TGKILL => equal(0, Process.pid), PRLIMIT64 => null(2) }
          .flat_map { |numbers, rows| numbers[column] ? on(numbers[column], rows) : [] }
      end

      def on(number, rows)
        [[EQUAL, 0, rows.size, number], *rows]
      end

      def answer(verdict)
        [[RETURN, 0, 0, verdict]]
      end

      def argument(index, high: false)
        [LOAD, 0, 0, 16 + (8 * index) + (high ? 4 : 0)]
      end

      def lacking(index, bits)
        [argument(index), [ANY_BIT, 1, 0, bits], *answer(ALLOW), *answer(REFUSE)]
      end

      def equal(index, value)
        [argument(index), [EQUAL, 0, 1, value], *answer(ALLOW), *answer(REFUSE)]
      end

      def none_of(index, values)
        [argument(index), *values.flat_map { |value| on(value, answer(REFUSE)) }, *answer(ALLOW)]
      end

      def null(index)
        [argument(index), [EQUAL, 1, 0, 0], *answer(REFUSE),
         argument(index, high: true), [EQUAL, 1, 0, 0], *answer(REFUSE), *answer(ALLOW)]
      end
    end
  end
end
