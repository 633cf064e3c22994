// libFuzzer's entry point for a program with its own main (compiler-rt, FuzzerDriver.cpp).
#ifndef TAPLINE_CFUZZER_H
#define TAPLINE_CFUZZER_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*test)(const uint8_t *data, size_t size));

#endif
