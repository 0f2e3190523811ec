"""Networks, sampling, training loops, metrics: numbers in, numbers out; no time, no devices."""
