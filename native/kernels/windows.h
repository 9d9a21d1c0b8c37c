// Windows over steps and over images: what the kernels are told.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lstm_native {

// Window s reads the steps s·stride - before + k·dilation for k < size; those outside [0, T) are padding.
struct Windows {
  int T, S, size, stride, dilation, before;
};

struct Conv1dShape {
  int I, O, groups, size;
  int width() const { return I / groups; }
  int outputs() const { return O / groups; }
};

struct Conv1dArgs {
  Windows windows;
  int B, I, O, groups;
  Conv1dShape shape() const { return {I, O, groups, windows.size}; }
  int width() const { return I / groups; }
  const float* x;
  const float* weight;  // [O, I / groups, size]
  const float* bias;    // may be null
  const float* packed;  // what conv1d_pack made of the weight, which is then not read; or null
  float* y;
  // Backward only; any of the gradients may be null.
  const float* dy;
  float* dx;
  float* dweight;
  float* dbias;
};

struct Conv2dShape {
  int I, O, groups, rows, columns;
  int width() const { return I / groups; }
};

// Images [rows.T][columns.T][I] to [rows.S][columns.S][O].
struct Conv2dArgs {
  Windows rows, columns;
  int B, I, O, groups;
  Conv2dShape shape() const { return {I, O, groups, rows.size, columns.size}; }
  int width() const { return I / groups; }
  std::ptrdiff_t image() const { return static_cast<std::ptrdiff_t>(rows.T) * columns.T * I; }
  std::ptrdiff_t result() const { return static_cast<std::ptrdiff_t>(rows.S) * columns.S * O; }
  const float* x;
  const float* weight;  // [O, I / groups, rows.size, columns.size]
  const float* bias;    // may be null
  const float* packed;  // what conv2d_pack made of the weight, which is then not read; or null
  float* y;
  // Backward only; any of the gradients may be null.
  const float* dy;
  float* dx;
  float* dweight;
  float* dbias;
};

enum class Pool { max, average };

struct Pool1dArgs {
  Windows windows;
  int B, C;
  const std::uint8_t* mask;  // may be null
  bool count_padding;
  const float* x;
  float* y;
  const float* dy;
  float* dx;
};

}  // namespace lstm_native
