// What ProcessGroupGloo.hpp of libtorch names of gloo, whose headers are not part of libtorch's packages.
// CMake makes the five headers that it includes, each of which includes this file. ProcessGroupGloo holds
// these types by shared pointers only, so that its layout does not depend on them; the members below are
// never called from here. docs/distributed.md has the reasons, and gloo.cc the checks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

namespace rendezvous {

// The base class of ProcessGroupGloo::GlooStore, which only libtorch makes.
class Store {
 public:
  virtual ~Store();
  virtual void set(const std::string& key, const std::vector<char>& value) = 0;
  virtual std::vector<char> get(const std::string& key) = 0;
  virtual void wait(const std::vector<std::string>& keys) = 0;
  virtual void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) = 0;
};

}  // namespace rendezvous

namespace transport {

class Device;

class UnboundBuffer {
 public:
  virtual ~UnboundBuffer();
};

}  // namespace transport
}  // namespace gloo
