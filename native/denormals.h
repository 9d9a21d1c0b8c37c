// Denormal floats while kernels run.
#pragma once

namespace lstm_native {

// Treats denormal floats as zero for a scope, as the kernels expect: states that decay towards zero would
// otherwise slow every multiplication down a hundredfold.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned long saved_;
};

}  // namespace lstm_native
