{
  "variables": {
    "kernel_sources": [
      "native/dispatch.cc",
      "native/gemm/openblas.cc",
      "native/targets/avx2.cc",
      "native/targets/avx512.cc",
      "native/targets/neon.cc",
      "native/targets/scalar.cc",
      "native/thread_pool.cc"
    ],
    "addon_sources": [
      "native/addon.cc"
    ]
  }
}
