// File: storage/aggregate/exact_sum.h
//
// A sum that never rounds: whatever is added, in whatever order and through whatever partial sums, the result
// is the same number, rounded once when it is asked for. It is what makes a stored summary, a merged one and a
// fold over the raw samples equal bit for bit.
//
// The sum of doubles that ToDouble() gives is the correctly rounded one (Python's math.fsum gives the same).
// Held as a two's complement integer of as many 64-bit limbs as the spread of exponents needs, times a power
// of two; a few limbs inline, so usual plant data allocates nothing.
// Method: Kulisch, Computer Arithmetic and Validity, 2nd ed., 2013, ch. 8 (the long accumulator), kept sparse.
// Threads: a value type; const methods from any thread.
#ifndef HISTORIAN_STORAGE_AGGREGATE_EXACT_SUM_H_
#define HISTORIAN_STORAGE_AGGREGATE_EXACT_SUM_H_
