// The likelihoods of distribution heads: what the arguments mean is said in
// lib/kernels/contract-likelihood.ts.
#include "call.h"

namespace lstm_native {
namespace {

// In the order of the enum of native/likelihood.h.
const char* const kLikelihoodNames[] = {"gaussian", "studentT", "negativeBinomial"};

Napi::Value likelihood(const Napi::CallbackInfo& info) {
  const Likelihood kind = kind_argument<Likelihood>(info, "likelihood", kLikelihoodNames);
  const Arguments a = object_argument(info, "likelihood", 1);
  const int numbers = kind == Likelihood::student_t ? 3 : 2;
  LikelihoodArgs args = {};
  args.N = a.integer("N");
  args.prediction = a.floats("prediction", area(args.N, numbers));
  args.target = a.floats("target", args.N);
  args.scale = a.optional_floats("scale", args.N);
  if (args.scale != nullptr && kind != Likelihood::negative_binomial)
    a.fail("scale", "absent but for negativeBinomial", "an array");
  args.mask = a.optional_floats("mask", args.N);
  args.dprediction = a.optional_floats("dprediction", area(args.N, numbers));
  args.dtarget = a.optional_floats("dtarget", args.N);
  const Call call(info);
  call.kernels.likelihood(call.context, kind, args);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("sum", args.sum);
  result.Set("weight", args.weight);
  return result;
}

}  // namespace

void export_likelihood(Napi::Env env, Napi::Object exports) {
  export_function<likelihood>(env, exports, "likelihood");
}

}  // namespace lstm_native
