// An LSTM call with random contents, and its equations (lib/kernels/contract-lstm.ts) in double precision.
#pragma once
#include <algorithm>
#include <vector>

#include "check.h"
#include "lstm_variants.h"

namespace lstm_native::test {

using Doubles = std::vector<double>;

struct Case {
  const char* name;
  int B, T, I, H, P;
  bool reverse, lengths, bias, peephole, norm, mask, time_major;
  int zoneout;      // 0 none, 1 masks, 2 the expectation
  int variant = 0;  // one of kVariants; the first is the standard cell
};

// Arrays that go in, in the order of `Model::arrays`.
enum Array { kX, kH0, kC0, kWih, kWhh, kBih, kBhh, kWhr, kPeephole, kNormIh, kNormHh, kNormCell, kArrays };
const char* const kNames[kArrays] = {"x",         "h0",      "c0",      "weight_ih",
                                     "weight_hh", "bias_ih", "bias_hh", "weight_hr",
                                     "peephole",  "norm_ih", "norm_hh", "norm_cell"};

struct Model {
  Case c;
  int R;
  Floats arrays[kArrays];
  Floats mask, zoneout_cell, zoneout_hidden, dy, dhn, dcn;
  std::vector<std::int32_t> lengths;
};

inline Model make(const Case& c) {
  Random random(static_cast<std::uint64_t>(c.B * 7 + c.T * 31 + c.I * 3 + c.H));
  Model m = {};
  m.c = c;
  m.R = c.P > 0 ? c.P : c.H;
  const auto fill = [&](Array which, int count, float scale, float centre = 0) {
    m.arrays[which] = random.numbers(static_cast<std::size_t>(count));
    for (float& value : m.arrays[which]) value = centre + value * scale;
  };
  fill(kX, c.B * c.T * c.I, 1);
  fill(kH0, c.B * m.R, 1);
  fill(kC0, c.B * c.H, 1);
  fill(kWih, 4 * c.H * c.I, 1 / std::sqrt(static_cast<float>(c.I)));
  fill(kWhh, 4 * c.H * m.R, 1 / std::sqrt(static_cast<float>(m.R)));
  if (c.bias) fill(kBih, 4 * c.H, 0.5f);
  if (c.bias) fill(kBhh, 4 * c.H, 0.5f);
  if (c.P > 0) fill(kWhr, c.P * c.H, 1 / std::sqrt(static_cast<float>(c.H)));
  if (c.peephole) fill(kPeephole, 3 * c.H, 0.5f);
  if (c.norm) fill(kNormIh, 4 * c.H, 0.3f, 1);
  if (c.norm) fill(kNormHh, 4 * c.H, 0.3f, 1);
  if (c.norm) fill(kNormCell, 2 * c.H, 0.3f, 1);
  const auto zero_or = [&](int count, float value) {
    Floats values(static_cast<std::size_t>(count));
    for (float& v : values) v = random.below(3) == 0 ? 0 : value;
    return values;
  };
  if (c.mask) m.mask = zero_or(c.B * m.R, 1.5f);
  if (c.zoneout == 1) m.zoneout_cell = zero_or(c.B * c.T * c.H, 1);
  if (c.zoneout == 1) m.zoneout_hidden = zero_or(c.B * c.T * m.R, 1);
  m.dy = random.numbers(static_cast<std::size_t>(c.B * c.T * m.R));
  m.dhn = random.numbers(static_cast<std::size_t>(c.B * m.R));
  m.dcn = random.numbers(static_cast<std::size_t>(c.B * c.H));
  if (c.lengths) {
    for (int b = 0; b < c.B; b++) m.lengths.push_back(b == 1 ? 0 : 1 + random.below(c.T));
  }
  return m;
}

struct Outcome {
  Doubles y, hn, cn;
};

constexpr double kEps = 1e-2;

inline int offset(const Case& c, int b, int t, int width) {
  return (c.time_major ? t * c.B + b : b * c.T + t) * width;
}

// v normalised, times gain; or v itself.
inline void normalise(Doubles& v, const double* gain, bool norm) {
  if (!norm) return;
  double mean = 0, variance = 0;
  for (double value : v) mean += value / static_cast<double>(v.size());
  for (double value : v) variance += (value - mean) * (value - mean) / static_cast<double>(v.size());
  const double scale = 1 / std::sqrt(variance + kEps);
  for (std::size_t i = 0; i < v.size(); i++) v[i] = (v[i] - mean) * scale * gain[i];
}

// The equations, one sequence and one step after another.
inline Outcome reference(const Model& m, const Doubles* a) {
  const Case& c = m.c;
  const int H = c.H, R = m.R;
  const LstmVariant& variant = kVariants[c.variant];
  const double clip = variant.clip;
  const auto sigma = [&](double v) { return apply(variant.gate, std::min(clip, std::max(-clip, v))); };
  Outcome out = {Doubles(c.B * c.T * R), a[kH0], a[kC0]};
  for (int b = 0; b < c.B; b++) {
    double* h = &out.hn[b * R];
    double* cell = &out.cn[b * H];
    const int steps = c.lengths ? m.lengths[b] : c.T;
    for (int step = 0; step < steps; step++) {
      const int t = c.reverse ? steps - 1 - step : step;
      const double* x = &a[kX][offset(c, b, t, c.I)];
      Doubles from_x(4 * H), from_h(4 * H), fresh(H), squashed(H), hidden(R);
      for (int row = 0; row < 4 * H; row++) {
        for (int i = 0; i < c.I; i++) from_x[row] += a[kWih][row * c.I + i] * x[i];
        for (int r = 0; r < R; r++) {
          from_h[row] += a[kWhh][row * R + r] * h[r] * (c.mask ? m.mask[b * R + r] : 1);
        }
      }
      normalise(from_x, a[kNormIh].data(), c.norm);
      normalise(from_h, a[kNormHh].data(), c.norm);
      const auto gate = [&](int which, int u) {
        const int row = which * H + u;
        return from_x[row] + from_h[row] + (c.bias ? a[kBih][row] + a[kBhh][row] : 0);
      };
      const auto peep = [&](int which, int u, double value) {
        return c.peephole ? a[kPeephole][which * H + u] * value : 0;
      };
      for (int u = 0; u < H; u++) {
        const double i = sigma(gate(0, u) + peep(0, u, cell[u]));
        const double f = variant.coupled ? 1 - i : sigma(gate(1, u) + peep(1, u, cell[u]));
        const double g = apply(variant.cell, std::min(clip, std::max(-clip, gate(2, u))));
        fresh[u] = f * cell[u] + i * g;
      }
      squashed = fresh;
      normalise(squashed, a[kNormCell].data(), c.norm);
      for (int u = 0; u < H; u++) {
        if (c.norm) squashed[u] += a[kNormCell][H + u];
        squashed[u] = sigma(gate(3, u) + peep(2, u, fresh[u])) * apply(variant.output, squashed[u]);
      }
      for (int r = 0; r < R; r++) {
        if (c.P == 0) hidden[r] = squashed[r];
        for (int u = 0; c.P > 0 && u < H; u++) hidden[r] += a[kWhr][r * H + u] * squashed[u];
      }
      for (int u = 0; u < H; u++) {
        const double z = c.zoneout == 1 ? m.zoneout_cell[(b * c.T + t) * H + u] : c.zoneout == 2 ? 0.2 : 0;
        cell[u] = z * cell[u] + (1 - z) * fresh[u];
      }
      for (int r = 0; r < R; r++) {
        const double z = c.zoneout == 1 ? m.zoneout_hidden[(b * c.T + t) * R + r] : c.zoneout == 2 ? 0.1 : 0;
        h[r] = z * h[r] + (1 - z) * hidden[r];
        out.y[offset(c, b, t, R) + r] = h[r];
      }
    }
  }
  return out;
}

inline Doubles widen(const Floats& values) { return Doubles(values.begin(), values.end()); }

// What the gradients are gradients of.
inline double loss(const Model& m, const Doubles* arrays) {
  const Outcome out = reference(m, arrays);
  double sum = 0;
  for (std::size_t i = 0; i < out.y.size(); i++) sum += out.y[i] * m.dy[i];
  for (std::size_t i = 0; i < out.hn.size(); i++) sum += out.hn[i] * m.dhn[i];
  for (std::size_t i = 0; i < out.cn.size(); i++) sum += out.cn[i] * m.dcn[i];
  return sum;
}

}  // namespace lstm_native::test
