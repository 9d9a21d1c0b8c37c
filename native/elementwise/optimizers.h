// The optimizers' updates. What is the same for every element is computed in double beforehand.
#pragma once

namespace lstm_native::LSTM_TARGET {

BRICK V broadcast(double x) { return set(static_cast<float>(x)); }

struct SgdOperation {
  V rate, momentum, decay, scale;
  float* weight;
  const float* gradient;
  float* velocity;
  bool nesterov;

  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    const V w = lanes.get(weight + i);
    V change = fma(decay, w, mul(lanes.get(gradient + i), scale));
    if (velocity != nullptr) {
      const V v = fma(momentum, lanes.get(velocity + i), change);
      lanes.put(velocity + i, v);
      change = nesterov ? fma(momentum, v, change) : v;
    }
    lanes.put(weight + i, fnma(rate, change, w));
  }
};

static void sgd_step(const Context& context, const SgdArgs& args) {
  const SgdOperation step = {broadcast(args.learning_rate),
                             broadcast(args.momentum),
                             broadcast(args.weight_decay),
                             broadcast(args.gradient_scale),
                             args.weight,
                             args.gradient,
                             args.velocity,
                             args.nesterov};
  elementwise(context, args.n, kCheap, step);
}

struct RmspropOperation {
  V rate, alpha, rest, eps, momentum, decay, scale;
  float* weight;
  const float* gradient;
  float* square_average;
  float* velocity;

  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    const V w = lanes.get(weight + i);
    const V g = fma(decay, w, mul(lanes.get(gradient + i), scale));
    const V s = fma(alpha, lanes.get(square_average + i), mul(mul(rest, g), g));
    lanes.put(square_average + i, s);
    V change = div(g, add(sqrt(s), eps));
    if (velocity != nullptr) {
      change = fma(momentum, lanes.get(velocity + i), change);
      lanes.put(velocity + i, change);
    }
    lanes.put(weight + i, fnma(rate, change, w));
  }
};

static void rmsprop_step(const Context& context, const RmspropArgs& args) {
  const RmspropOperation step = {broadcast(args.learning_rate),
                                 broadcast(args.alpha),
                                 broadcast(1 - args.alpha),
                                 broadcast(args.eps),
                                 broadcast(args.momentum),
                                 broadcast(args.weight_decay),
                                 broadcast(args.gradient_scale),
                                 args.weight,
                                 args.gradient,
                                 args.square_average,
                                 args.velocity};
  elementwise(context, args.n, kActivation, step);
}

struct AdamOperation {
  V rate, correction, beta1, rest1, beta2, rest2, eps, shrink, decay, scale;
  float* weight;
  const float* gradient;
  float* moment1;
  float* moment2;

  template <typename Lanes>
  BRICK_MEMBER void at(std::size_t i, Lanes lanes) const {
    const V w = mul(shrink, lanes.get(weight + i));
    const V g = fma(decay, w, mul(lanes.get(gradient + i), scale));
    const V m = fma(beta1, lanes.get(moment1 + i), mul(rest1, g));
    const V v = fma(beta2, lanes.get(moment2 + i), mul(mul(rest2, g), g));
    lanes.put(moment1 + i, m);
    lanes.put(moment2 + i, v);
    lanes.put(weight + i, sub(w, div(mul(rate, m), fma(sqrt(v), correction, eps))));
  }
};

static void adam_step(const Context& context, const AdamArgs& args) {
  const double correction1 = 1 - ::pow(args.beta1, args.step);
  const double correction2 = 1 - ::pow(args.beta2, args.step);
  const AdamOperation step = {broadcast(args.learning_rate / correction1),
                              broadcast(1 / __builtin_sqrt(correction2)),
                              broadcast(args.beta1),
                              broadcast(1 - args.beta1),
                              broadcast(args.beta2),
                              broadcast(1 - args.beta2),
                              broadcast(args.eps),
                              broadcast(args.decoupled ? 1 - args.learning_rate * args.weight_decay : 1),
                              broadcast(args.decoupled ? 0 : args.weight_decay),
                              broadcast(args.gradient_scale),
                              args.weight,
                              args.gradient,
                              args.moment1,
                              args.moment2};
  elementwise(context, args.n, kActivation, step);
}

}  // namespace lstm_native::LSTM_TARGET
