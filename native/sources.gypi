{
  "variables": {
    "kernel_sources": [
      "native/thread_pool.cc"
    ]
  }
}
