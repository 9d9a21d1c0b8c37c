// Attention: what queries take from memories. Threads share out the heads of batch rows, so that nobody else
// writes the gradients of a memory.
#pragma once

namespace lstm_native::LSTM_TARGET {

// Σ_j a[j]·b[j]
BRICK float inner_product(const float* a, const float* b, int n) {
  V sums[4] = {zero(), zero(), zero(), zero()};
  int j = 0;
  for (; j + kPanelColumns <= n; j += kPanelColumns) {
    for (int i = 0; i < 4; i++) sums[i] = fma(load(a + j + i * kWidth), load(b + j + i * kWidth), sums[i]);
  }
  for (; j < n; j += kWidth) sums[0] = fma(load(a + j, n - j), load(b + j, n - j), sums[0]);
  return sum(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
}

// Σ_j vector[j]·tanh(a[j] + b[j])
BRICK float squashed_product(const float* vector, const float* a, const float* b, int n) {
  V total = zero();
  for (int j = 0; j < n; j += kWidth) {
    const V value = tanh(add(load(a + j, n - j), load(b + j, n - j)));
    total = fma(load(vector + j, n - j), value, total);
  }
  return sum(total);
}

// y += alpha·x
BRICK void add_scaled(float alpha, const float* x, float* y, int n) {
  const V scaling = set(alpha);
  int j = 0;
  for (; j + kWidth <= n; j += kWidth) store(y + j, fma(scaling, load(x + j), load(y + j)));
  if (j < n) store(y + j, fma(scaling, load(x + j, n - j), load(y + j, n - j)), n - j);
}

// One head of one batch row: where its numbers stand. Rows of q are k_row apart, and so on.
struct Head {
  int T, S;
  const float* q;
  const float* k;
  const float* v;
  const float* vector;
  std::ptrdiff_t first;  // in weights and drop
  std::ptrdiff_t q_at, k_at, y_at, v_at;
  std::ptrdiff_t k_row, v_row;  // also of q and y
};

BRICK Head head_of(const AttentionArgs& args, int item) {
  const int b = item / args.N, n = item % args.N;
  const std::ptrdiff_t memory = args.rows != nullptr ? args.rows[b] : b;
  Head head;
  head.T = args.T;
  head.S = args.S;
  std::ptrdiff_t queries = static_cast<std::ptrdiff_t>(b) * args.T, keys = memory * args.S;
  if (args.offsets != nullptr) {
    queries = keys = args.offsets[b];
    head.T = head.S = args.offsets[b + 1] - args.offsets[b];
  }
  head.k_row = static_cast<std::ptrdiff_t>(args.N) * args.D;
  head.v_row = static_cast<std::ptrdiff_t>(args.N) * args.E;
  head.q_at = queries * head.k_row + static_cast<std::ptrdiff_t>(n) * args.D;
  head.k_at = keys * head.k_row + static_cast<std::ptrdiff_t>(n) * args.D;
  head.y_at = queries * head.v_row + static_cast<std::ptrdiff_t>(n) * args.E;
  head.v_at = keys * head.v_row + static_cast<std::ptrdiff_t>(n) * args.E;
  head.q = args.q + head.q_at;
  head.k = args.k + head.k_at;
  head.v = args.v + head.v_at;
  head.vector = args.vector != nullptr ? args.vector + static_cast<std::ptrdiff_t>(n) * args.D : nullptr;
  head.first = static_cast<std::ptrdiff_t>(item) * args.T * args.S;
  return head;
}

// The softmax of the scores of query t, which are -∞ at keys that do not count: exp makes zeros of them. All
// zeros where no key counts. Returns one past the last key that does: what follows adds nothing, whatever its
// number, so that a sequence has the bits that it has alone.
static int attention_weights(const AttentionArgs& args, const Head& head, int item, int t, float* weights) {
  const int b = item / args.N, S = args.causal && t + 1 < head.S ? t + 1 : head.S;
  const std::ptrdiff_t memory = args.rows != nullptr ? args.rows[b] : b;
  const std::uint8_t* key_mask = args.key_mask != nullptr ? args.key_mask + memory * args.S : nullptr;
  const std::uint8_t* mask =
      args.mask != nullptr ? args.mask + (static_cast<std::ptrdiff_t>(b) * args.T + t) * args.S : nullptr;
  const float* q = head.q + t * head.k_row;
  int end = 0;
  for (int s = 0; s < S; s++) {
    if ((key_mask != nullptr && key_mask[s] == 0) || (mask != nullptr && mask[s] == 0)) {
      weights[s] = -HUGE_VALF;
      continue;
    }
    const float* k = head.k + s * head.k_row;
    weights[s] = args.scale * (head.vector != nullptr ? squashed_product(head.vector, q, k, args.D)
                                                      : inner_product(q, k, args.D));
    end = s + 1;
  }
  std::memset(weights + end, 0, sizeof(float) * (head.S - end));
  if (end == 0) return 0;
  const double total = shifted_exps(weights, largest_of(weights, end), end, weights);
  const V divisor = set(static_cast<float>(total));
  for (int s = 0; s < end; s += kWidth) store(weights + s, div(load(weights + s, end - s), divisor), end - s);
  return end;
}

struct AttentionRun {
  const AttentionArgs* args;
  float* scratch;  // [threads][S] where nobody wants the weights
};

static void attention_forward_share(void* data, int index, int count) {
  const AttentionRun& run = *static_cast<const AttentionRun*>(data);
  const AttentionArgs& args = *run.args;
  int first, last;
  share(args.B * args.N, index, count, &first, &last);
  for (int item = first; item < last; item++) {
    const Head head = head_of(args, item);
    for (int t = 0; t < head.T; t++) {
      const std::ptrdiff_t row = head.first + static_cast<std::ptrdiff_t>(t) * args.S;
      float* weights = args.weights != nullptr ? args.weights + row
                                               : run.scratch + static_cast<std::ptrdiff_t>(index) * args.S;
      const int end = attention_weights(args, head, item, t, weights);
      float* y = args.y + head.y_at + t * head.v_row;
      std::memset(y, 0, sizeof(float) * args.E);
      for (int s = 0; s < end; s++) {
        const float weight = args.drop != nullptr ? weights[s] * args.drop[row + s] : weights[s];
        if (weight != 0) add_scaled(weight, head.v + s * head.v_row, y, args.E);
      }
    }
  }
}

BRICK int attention_threads(const Context& context, const AttentionArgs& args, double passes) {
  const double pairs = static_cast<double>(args.B) * args.N * args.T * args.S;
  const double cost = args.vector != nullptr ? kActivation : 1;
  return useful_threads(context, passes * pairs * (args.D * cost + args.E));
}

static void attention_forward(const Context& context, const AttentionArgs& args) {
  const int threads = attention_threads(context, args, 1);
  AttentionRun run = {&args, nullptr};
  if (args.weights == nullptr)
    run.scratch = context.arena->take<float>(static_cast<std::size_t>(threads) * args.S);
  context.pool->run(threads, attention_forward_share, &run);
}

struct AttentionGradient {
  const AttentionArgs* args;
  float* d_weights;  // [threads][S]
  float* d_vectors;  // [B·N][D], or null
};

// The gradients that one pair of query and key gives through tanh.
BRICK void squashed_gradient(const AttentionArgs& args, const Head& head, const float* q, const float* k,
                             float d_score, float* dq, float* dk, float* d_vector) {
  const V gradient = set(d_score), one = set(1.0f);
  for (int j = 0; j < args.D; j += kWidth) {
    const int n = args.D - j;
    const V value = tanh(add(load(q + j, n), load(k + j, n)));
    const V slope = mul(mul(gradient, load(head.vector + j, n)), fnma(value, value, one));
    if (d_vector != nullptr) store(d_vector + j, fma(gradient, value, load(d_vector + j, n)), n);
    if (dq != nullptr) store(dq + j, add(load(dq + j, n), slope), n);
    if (dk != nullptr) store(dk + j, add(load(dk + j, n), slope), n);
  }
}

static void attention_query_gradient(const AttentionGradient& run, const Head& head, int t, float* d_weights,
                                     float* d_vector) {
  const AttentionArgs& args = *run.args;
  const std::ptrdiff_t row = head.first + static_cast<std::ptrdiff_t>(t) * args.S;
  const float* weights = args.weights + row;
  const float* dy = args.dy != nullptr ? args.dy + head.y_at + t * head.v_row : nullptr;
  double mean = 0;
  for (int s = 0; s < args.S; s++) {
    d_weights[s] = 0;
    if (weights[s] == 0) continue;
    const float factor = args.drop != nullptr ? args.drop[row + s] : 1;
    if (args.dweights != nullptr) d_weights[s] = args.dweights[row + s];
    if (dy != nullptr) d_weights[s] += factor * inner_product(dy, head.v + s * head.v_row, args.E);
    mean += static_cast<double>(weights[s]) * d_weights[s];
    if (dy != nullptr && args.dv != nullptr)
      add_scaled(factor * weights[s], dy, args.dv + head.v_at + s * head.v_row, args.E);
  }
  const std::ptrdiff_t q_at = t * head.k_row;
  float* dq = args.dq != nullptr ? args.dq + head.q_at + q_at : nullptr;
  for (int s = 0; s < args.S; s++) {
    if (weights[s] == 0) continue;
    const float d_score = static_cast<float>(args.scale * weights[s] * (d_weights[s] - mean));
    const float* k = head.k + s * head.k_row;
    float* dk = args.dk != nullptr ? args.dk + head.k_at + s * head.k_row : nullptr;
    if (head.vector != nullptr) {
      squashed_gradient(args, head, head.q + q_at, k, d_score, dq, dk, d_vector);
      continue;
    }
    if (dq != nullptr) add_scaled(d_score, k, dq, args.D);
    if (dk != nullptr) add_scaled(d_score, head.q + q_at, dk, args.D);
  }
}

static void attention_backward_share(void* data, int index, int count) {
  const AttentionGradient& run = *static_cast<const AttentionGradient*>(data);
  const AttentionArgs& args = *run.args;
  float* d_weights = run.d_weights + static_cast<std::ptrdiff_t>(index) * args.S;
  int first, last;
  share(args.B * args.N, index, count, &first, &last);
  for (int item = first; item < last; item++) {
    const Head head = head_of(args, item);
    float* d_vector = nullptr;
    if (run.d_vectors != nullptr) {
      d_vector = run.d_vectors + static_cast<std::ptrdiff_t>(item) * args.D;
      std::memset(d_vector, 0, sizeof(float) * args.D);
    }
    for (int t = 0; t < args.T; t++) attention_query_gradient(run, head, t, d_weights, d_vector);
  }
}

static void attention_backward(const Context& context, const AttentionArgs& args) {
  const int threads = attention_threads(context, args, 2);
  const std::size_t heads = static_cast<std::size_t>(args.B) * args.N;
  AttentionGradient run = {&args, context.arena->take<float>(static_cast<std::size_t>(threads) * args.S),
                           nullptr};
  if (args.dvector != nullptr) run.d_vectors = context.arena->take<float>(heads * args.D);
  context.pool->run(threads, attention_backward_share, &run);
  // [B][N·D], row by row
  if (args.dvector != nullptr) sum_rows(context, args.B, args.N * args.D, run.d_vectors, args.dvector);
}

}  // namespace lstm_native::LSTM_TARGET
