// Connectionist temporal classification: what the arguments mean is said in lib/kernels/contract-ctc.ts.
#include "call.h"

namespace lstm_native {
namespace {

void require_within(const Arguments& a, const char* name, const std::int32_t* values, int count, int low,
                    int high) {
  for (int n = 0; n < count; n++) {
    if (values[n] >= low && values[n] <= high) continue;
    a.fail(name, "in [" + std::to_string(low) + ", " + std::to_string(high) + "]", std::to_string(values[n]));
  }
}

void ctc_loss(const Napi::CallbackInfo& info) {
  const Arguments a = object_argument(info, "ctcLoss");
  CtcArgs args = {};
  args.B = a.integer("B");
  args.T = a.integer("T");
  args.C = a.integer("C");
  args.S = a.integer("S");
  // Positions on a path of 2S + 1 classes are computed as int.
  if (args.S > (1 << 29)) a.fail("S", "at most 2^29", std::to_string(args.S));
  args.blank = a.integer("blank");
  if (args.blank >= args.C) a.fail("blank", "below C", std::to_string(args.blank));
  args.logits = a.floats("logits", area(args.B, args.T) * args.C);
  args.targets = a.integers("targets", area(args.B, args.S));
  args.input_lengths = a.integers("inputLengths", args.B);
  args.target_lengths = a.integers("targetLengths", args.B);
  args.losses = a.floats("losses", args.B);
  args.dlogits = a.optional_floats("dlogits", area(args.B, args.T) * args.C);
  require_within(a, "inputLengths", args.input_lengths, args.B, 0, args.T);
  require_within(a, "targetLengths", args.target_lengths, args.B, 0, args.S);
  for (int b = 0; b < args.B; b++)
    require_within(a, "targets", args.targets + area(b, args.S), args.target_lengths[b], 0, args.C - 1);
  const Call call(info);
  call.kernels.ctc_loss(call.context, args);
}

}  // namespace

void export_ctc(Napi::Env env, Napi::Object exports) { export_function<ctc_loss>(env, exports, "ctcLoss"); }

}  // namespace lstm_native
