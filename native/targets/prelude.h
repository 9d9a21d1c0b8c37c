// What every target needs from outside, included before the target region opens: code of the standard library
// must be compiled for the baseline, since the linker may share it with files that are not behind the
// dispatch.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "../arena.h"
#include "../gemm/openblas.h"
#include "../kernels.h"
#include "../simd/intrinsics.h"
#include "../thread_pool.h"

// Bricks must dissolve into the loops that use them: a call would cost more than what they do.
#define BRICK static inline __attribute__((always_inline))
#define BRICK_MEMBER inline __attribute__((always_inline))
// What is too seldom used to stand in every loop.
#define NOINLINE static __attribute__((noinline))
