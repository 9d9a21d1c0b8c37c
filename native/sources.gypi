{
  "variables": {
    "kernel_sources": [
      "native/denormals.cc",
      "native/dispatch.cc",
      "native/executor.cc",
      "native/gemm/openblas.cc",
      "native/plan/attention.cc",
      "native/plan/check.cc",
      "native/plan/images.cc",
      "native/plan/plan.cc",
      "native/plan/steps.cc",
      "native/plan/time_axis.cc",
      "native/targets/avx2.cc",
      "native/targets/avx512.cc",
      "native/targets/neon.cc",
      "native/targets/scalar.cc",
      "native/thread_pool.cc"
    ],
    "addon_sources": [
      "native/addon/addon.cc",
      "native/addon/attention.cc",
      "native/addon/batch_norm.cc",
      "native/addon/ctc.cc",
      "native/addon/dense.cc",
      "native/addon/elementwise.cc",
      "native/addon/likelihood.cc",
      "native/addon/lstm.cc",
      "native/addon/plan.cc",
      "native/addon/plan_async.cc",
      "native/addon/plan_call.cc",
      "native/addon/rnn.cc",
      "native/addon/windows.cc"
    ]
  }
}
