use_bpm 132
patterns = { a: [60, 63, 67], b: [58, 62, 65], "c" => [55, 59, 62] }
order = [:a, :b, :a] + ["c"]
order.each do |name|
  notes = patterns[name].map { |n| n + 12 }.reverse
  evens = notes.select(&:even?)
  puts "#{name}: #{notes.inspect} #{evens}"
  (notes + evens).each_slice(2).each { |a, b| play a; play b, amp: 0.4 if b; sleep 0.25 }
  a, b = notes.first, notes.last
  total = notes.inject { |s, v| s + v } / notes.length
  play total - 12, release: 1
  sleep 0.5
end
m = (map note: :c4, amp: 0.7)
play m[:note], amp: m[:amp]
sleep 0.5
[1, 2, 3].zip([:c3, :e3, :g3]).each do |d, n|
  play n, release: d * 0.2
  sleep 0.25
end
4.times { |i| play (60..72).to_a.shuffle[i]; sleep 0.2 }
%w(c4 e4 g4).each { |n| play n.to_sym; sleep 0.2 }
1.upto(3) { |i| play 50 + i; sleep 0.1 }
0.step(12, 4) { |i| play 60 + i; sleep 0.1 }
loop do
  play [[0, 3], [5, 7]].flatten.ring.tick + 60, release: 0.1
  sleep 0.25
end
