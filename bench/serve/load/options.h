// The command line and the file of requests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// What one connection sends: `first` until it has been answered with 200, from then on `next`.
struct Script {
  std::string first, next;
};

// So many requests a second for so long; 0 requests a second is a pause.
struct Phase {
  double rate, seconds;
};

struct Options {
  uint16_t port = 0;
  std::string requests, records;
  // Closed loop for so long, where there are no phases.
  double seconds = 0;
  std::vector<Phase> phases;
  uint64_t seed = 1;
  // How long answers may take after the last request.
  double grace = 10;
};

// Throws std::invalid_argument that says what is wrong.
Options read_options(int argc, char** argv);

// Throws std::runtime_error if the file cannot be read.
std::vector<Script> read_scripts(const std::string& path);
