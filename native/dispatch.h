// The choice of a target at run time, and how many threads this process may use.
#pragma once
#include <string>
#include <vector>

#include "kernels.h"

namespace lstm_native {

// The targets this build has and this CPU can run, the best first. `scalar` is always among them.
const std::vector<const Kernels*>& available_kernels();

// The target of that name, or null with the reason in `why`.
const Kernels* find_kernels(const std::string& name, std::string* why);

// CPUs this process may run on, limited by the container's quota; at least 1.
int default_threads();

// Bytes of one core's L2 cache, or 1 MB where the system does not say.
std::size_t l2_bytes();

}  // namespace lstm_native
