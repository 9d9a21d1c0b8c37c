#include "options.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace {

double number(const std::string& name, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0 || !(value >= 0)) {
    throw std::invalid_argument(name + ": expected a number of at least 0, got " + text);
  }
  return value;
}

std::string read_block(std::ifstream& file) {
  uint32_t size = 0;
  file.read(reinterpret_cast<char*>(&size), sizeof size);
  std::string block(size, 0);
  file.read(block.data(), std::streamsize(block.size()));
  return block;
}

}  // namespace

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw std::invalid_argument(name + ": expected a value after it");
    const std::string value = argv[i + 1];
    if (name == "--port") {
      options.port = uint16_t(number(name, value));
    } else if (name == "--requests") {
      options.requests = value;
    } else if (name == "--records") {
      options.records = value;
    } else if (name == "--seconds") {
      options.seconds = number(name, value);
    } else if (name == "--grace") {
      options.grace = number(name, value);
    } else if (name == "--seed") {
      options.seed = uint64_t(number(name, value));
    } else if (name == "--phase") {
      const size_t comma = value.find(',');
      if (comma == std::string::npos) throw std::invalid_argument(name + ": expected RATE,SECONDS");
      options.phases.push_back({number(name, value.substr(0, comma)), number(name, value.substr(comma + 1))});
    } else {
      throw std::invalid_argument(name + ": no such option");
    }
  }
  if (options.port == 0 || options.requests.empty() || options.records.empty() ||
      (options.seconds > 0) == !options.phases.empty()) {
    throw std::invalid_argument(
        "expected --port N --requests FILE --records FILE and either --seconds S or --phase RATE,SECONDS");
  }
  return options;
}

std::vector<Script> read_scripts(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<Script> scripts;
  while (file.peek() != std::ifstream::traits_type::eof()) {
    Script script;
    script.first = read_block(file);
    script.next = read_block(file);
    if (!file) throw std::runtime_error(path + " ends in the middle of a request");
    scripts.push_back(std::move(script));
  }
  if (scripts.empty()) throw std::runtime_error(path + " holds no requests");
  return scripts;
}
