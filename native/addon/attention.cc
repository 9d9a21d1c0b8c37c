// Attention: what the arguments mean is said in lib/kernels/contract-attention.ts.
#include "call.h"

namespace lstm_native {
namespace {

AttentionArgs attention_shape(const Arguments& a) {
  AttentionArgs args = {};
  args.B = a.integer("B");
  args.T = a.integer("T");
  args.S = a.integer("S");
  args.N = a.integer("N");
  args.D = a.integer("D");
  args.E = a.integer("E");
  args.scale = a.real("scale");
  args.vector = a.optional_floats("vector", area(args.N, args.D));
  args.q = a.floats("q", area(args.B, args.T) * args.N * args.D);
  args.drop = a.optional_floats("drop", area(args.B, args.N) * args.T * args.S);
  args.weights = a.floats("weights", area(args.B, args.N) * args.T * args.S);
  return args;
}

void attention_forward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "attentionForward");
  AttentionArgs args = attention_shape(a);
  args.rows = a.optional_integers("rows", args.B);
  std::size_t memories = args.B;
  if (args.rows != nullptr) {
    memories = 0;
    for (int b = 0; b < args.B; b++) {
      if (args.rows[b] < 0) a.fail("rows", "integers of at least 0", std::to_string(args.rows[b]));
      if (static_cast<std::size_t>(args.rows[b]) >= memories) memories = args.rows[b] + std::size_t{1};
    }
  }
  args.k = a.floats("k", memories * args.S * args.N * args.D);
  args.v = a.floats("v", memories * args.S * args.N * args.E);
  args.key_mask = a.optional_bytes("keyMask", memories * args.S);
  args.mask = a.optional_bytes("mask", area(args.B, args.T) * args.S);
  args.causal = a.flag("causal");
  args.y = a.floats("y", area(args.B, args.T) * args.N * args.E);
  const Call call(info);
  call.kernels.attention_forward(call.context, args);
}

void attention_backward(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "attentionBackward");
  AttentionArgs args = attention_shape(a);
  const std::size_t queries = area(args.B, args.T) * args.N, keys = area(args.B, args.S) * args.N;
  args.k = a.floats("k", keys * args.D);
  args.v = a.floats("v", keys * args.E);
  args.dy = a.optional_floats("dy", queries * args.E);
  args.dweights = a.optional_floats("dweights", queries * args.S);
  args.dq = a.optional_floats("dq", queries * args.D);
  args.dk = a.optional_floats("dk", keys * args.D);
  args.dv = a.optional_floats("dv", keys * args.E);
  args.dvector = a.optional_floats("dvector", area(args.N, args.D));
  if (args.dvector != nullptr && args.vector == nullptr) a.fail("vector", "a Float32Array", "nothing");
  const Call call(info);
  call.kernels.attention_backward(call.context, args);
}

}  // namespace

void export_attention(Napi::Env env, Napi::Object exports) {
  export_function<attention_forward>(env, exports, "attentionForward");
  export_function<attention_backward>(env, exports, "attentionBackward");
}

}  // namespace lstm_native
