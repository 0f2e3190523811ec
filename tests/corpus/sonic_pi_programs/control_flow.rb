x = 0
$count = 0
@mode = :up
live_loop :walk do
  case x % 5
  when 0 then play :c4
  when 1, 2
    play :e4, release: 0.3
  when 3..4
    play :g4 if x.odd?
  else
    play 100
  end
  if @mode == :up
    x += 1
    @mode = :down if x >= 7
  elsif x <= 0
    @mode = :up
  else
    x -= 1
  end
  $count += 1
  i = 0
  while i < 3
    i += 1
    next if i == 2
    play 72 + i, amp: 0.2, release: 0.1
    sleep 0.1
  end
  until i.zero? do i -= 1; end
  for k in 1..3 do
    break if k > 2
    sleep 0.1 * k
  end
  stop if $count > 14
  sleep 0.1
end
