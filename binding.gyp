{
  "includes": ["native/sources.gypi"],
  "variables": {
    "openblas%": "<!(node native/find-openblas.cjs)"
  },
  "targets": [
    {
      "target_name": "lstm_native",
      "sources": ["<@(kernel_sources)", "<@(addon_sources)"],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS", "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
      "cflags_cc": ["-std=c++20", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"],
      "xcode_settings": {
        "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
        "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
        "GCC_OPTIMIZATION_LEVEL": "3",
        "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off", "-fvisibility=hidden"],
        "MACOSX_DEPLOYMENT_TARGET": "11.0"
      },
      "conditions": [
        ["openblas!=''", {
          "defines": ["LSTM_OPENBLAS"],
          "cflags_cc": ["<!@(node native/find-openblas.cjs --cflags)"],
          "libraries": ["<!@(node native/find-openblas.cjs --libs)"]
        }]
      ]
    }
  ]
}
