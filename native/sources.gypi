{
  "variables": {
    "kernel_sources": [
      "native/targets/avx2.cc",
      "native/targets/avx512.cc",
      "native/targets/neon.cc",
      "native/targets/scalar.cc",
      "native/thread_pool.cc"
    ],
    "addon_sources": []
  }
}
