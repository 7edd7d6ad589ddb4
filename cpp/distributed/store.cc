#include "distributed/store.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <c10/util/Exception.h>
#ifndef _WIN32
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

#include "typed_error.h"

namespace dyconv {
namespace {

std::string Where(const StoreAddress& address) { return address.host + ":" + std::to_string(address.port); }

#ifndef _WIN32

// A socket that listens for the clients of the store, closed unless it is released. libtorch's own listens on
// all interfaces.
class Listener {
 public:
  explicit Listener(const StoreAddress& address) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<uint16_t>(address.port));
    name.sin_addr.s_addr = htonl(IsLoopback(address.host) ? INADDR_LOOPBACK : INADDR_ANY);
    if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&name), sizeof(name)) != 0 ||
        ::listen(socket_, SOMAXCONN) != 0) {
      const int reason = errno;
      Close();
      throw DistributedFailure("The store cannot listen on " + Where(address) + ": " + std::strerror(reason),
                               "connection", {0});
    }
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { Close(); }

  int get() const { return socket_; }
  void Release() { socket_ = -1; }

  int Port() const {
    sockaddr_in name{};
    socklen_t length = sizeof(name);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&name), &length);
    return ntohs(name.sin_port);
  }

 private:
  void Close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  int socket_;
};

#endif

}  // namespace

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

c10::intrusive_ptr<c10d::TCPStore> OpenStore(const StoreAddress& address, std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(address.port);
  options.isServer = address.serve;
  options.numWorkers = static_cast<size_t>(address.world_size);
  // A client reports its arrival, which a server in Python waits for. The server here does not wait: a
  // process that does not fit the others is then found at once.
  options.waitWorkers = !address.serve;
  options.timeout = timeout;
  // The client of the server connects to it where it listens, regardless of what the name of this machine
  // resolves to.
  std::string host = IsLoopback(address.host) ? "127.0.0.1" : address.host;
#ifndef _WIN32
  std::unique_ptr<Listener> listener;
  if (address.serve) {
    listener = std::make_unique<Listener>(address);
    options.port = static_cast<uint16_t>(listener->Port());
    options.masterListenFd = listener->get();
    host = "127.0.0.1";
  }
#endif
  try {
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
#ifndef _WIN32
    if (listener) listener->Release();
#endif
    return store;
  } catch (const c10::Error& error) {
    const std::string said = error.what_without_backtrace();
    const bool late = said.find("timed out") != std::string::npos;
    throw DistributedFailure("The store of rank 0 at " + Where(address) + " could not be reached within " +
                                 std::to_string(timeout.count()) + " ms: " + said,
                             late ? "timeout" : "connection", {0});
  }
}

}  // namespace dyconv
