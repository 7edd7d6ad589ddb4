#include "distributed/gloo.h"

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#ifdef __linux__
#include <malloc.h>
#endif

#include "typed_error.h"

namespace dyconv {
namespace {

using Gloo = c10d::ProcessGroupGloo;
using DevicePtr = std::shared_ptr<::gloo::transport::Device>;

// The types of gloo are seen through shared pointers, whose size does not depend on what they point to.
static_assert(std::is_same_v<decltype(Gloo::Options::devices), std::vector<DevicePtr>>);
static_assert(sizeof(DevicePtr) == sizeof(std::shared_ptr<void>));
static_assert(sizeof(std::shared_ptr<::gloo::Context>) == sizeof(std::shared_ptr<void>));

constexpr auto kProbeTimeout = std::chrono::seconds(10);
constexpr size_t kGuardBytes = 4096;
constexpr unsigned char kGuardByte = 0xA5;

c10::intrusive_ptr<Gloo::Options> OptionsOn(const DevicePtr& device, std::chrono::milliseconds timeout) {
  auto options = Gloo::Options::create(timeout);
  options->devices.push_back(device);
  return options;
}

// Why a ProcessGroupGloo of this libtorch is laid out in another way than this file was compiled for; null if
// it is not. Makes a group of one process in memory with a guard behind it, and compares a member behind
// those of gloo's types, the bytes that the constructor wrote, and the size that libtorch itself allocates.
const char* LayoutProblem() {
  const auto options = OptionsOn(Gloo::createDeviceForHostname("127.0.0.1"), kProbeTimeout);
  void* memory = ::operator new(sizeof(Gloo) + kGuardBytes);
  auto* guard = static_cast<unsigned char*>(memory) + sizeof(Gloo);
  std::memset(guard, kGuardByte, kGuardBytes);
  auto* probe = new (memory) Gloo(c10::make_intrusive<c10d::HashStore>(), 0, 1, options);
  const char* problem = nullptr;
  if (!std::all_of(guard, guard + kGuardBytes, [](unsigned char byte) { return byte == kGuardByte; })) {
    problem = "it is larger";
  } else if (probe->getOptions() != options) {
    problem = "its options are in another place";
  } else {
    const auto made = probe->merge(c10::make_intrusive<c10d::HashStore>(), options, 0, 1);
    if (made->getRank() != 0 || made->getSize() != 1) problem = "its rank is in another place";
#ifdef __GLIBC__
    // The sizes that malloc returns for libtorch's request, and for ours.
    const std::unique_ptr<char[]> ours(new char[sizeof(Gloo)]);
    if (malloc_usable_size(made.get()) != malloc_usable_size(ours.get())) problem = "it has another size";
#endif
  }
  probe->~Gloo();
  ::operator delete(memory);
  return problem;
}

void CheckLayout() {
  static std::once_flag once;
  static const char* problem = nullptr;
  std::call_once(once, [] { problem = LayoutProblem(); });
  Require(problem == nullptr, ErrorKind::kNative,
          "Expected the libtorch that dyconv was built for: the ProcessGroupGloo of this one differs (",
          problem == nullptr ? "" : problem, "). Build the add-on again.");
}

DevicePtr DeviceFor(const std::string& host, const std::string& interface) {
  if (!host.empty()) return Gloo::createDeviceForHostname(host);
  if (!interface.empty()) return Gloo::createDeviceForInterface(interface);
  return Gloo::createDefaultDevice();
}

}  // namespace

c10::intrusive_ptr<c10d::Backend> ConnectGloo(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                              int size, std::chrono::milliseconds timeout,
                                              const std::string& host, const std::string& interface) {
  CheckLayout();
  return c10::make_intrusive<Gloo>(store, rank, size, OptionsOn(DeviceFor(host, interface), timeout));
}

}  // namespace dyconv
