#include "connection.h"

#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace {

// As large as loopback hands over at once.
constexpr size_t kReadSize = 256 << 10;
// No server's head is longer; one that is has lost its way.
constexpr size_t kLongestHead = 16 << 10;

char scratch[kReadSize];

bool is_named(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         strncasecmp(line.data(), name.data(), name.size()) == 0;
}

std::string_view value_of(std::string_view line) {
  line.remove_prefix(line.find(':') + 1);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  return line;
}

}  // namespace

void Connection::open(const sockaddr_in& server) {
  close();
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) {
    const int error = errno;
    close();
    throw std::system_error(error, std::generic_category(), "connect");
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void Connection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  unsent_ = {};
  head_.clear();
  is_in_body_ = false;
}

Connection::Progress Connection::fail() {
  close();
  return Progress::kBroken;
}

Connection::Progress Connection::send(std::string_view request) {
  unsent_ = request;
  response = {};
  return resume();
}

Connection::Progress Connection::resume() {
  while (!unsent_.empty()) {
    const ssize_t sent = ::send(fd_, unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN ? Progress::kWaiting : fail();
    unsent_.remove_prefix(size_t(sent));
  }
  return Progress::kWaiting;
}

Connection::Progress Connection::receive() {
  for (;;) {
    const ssize_t count = recv(fd_, scratch, sizeof scratch, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return Progress::kWaiting;
    if (count <= 0) return fail();
    std::string_view bytes(scratch, size_t(count));
    if (!is_in_body_) {
      const size_t before = head_.size();
      head_.append(bytes);
      const size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
      if (end == std::string::npos) {
        if (head_.size() > kLongestHead) return fail();
        continue;
      }
      if (!read_head(end)) return fail();
      bytes.remove_prefix(end + 4 - before);
      is_in_body_ = true;
    }
    // More than was declared would be the answer to a request that nobody sent.
    if (bytes.size() > body_left_) return fail();
    body_left_ -= bytes.size();
    if (body_left_ > 0) continue;
    is_in_body_ = false;
    head_.clear();
    // Answered before it had all of the request, the server is not going to read the rest.
    if (is_last_ || is_sending()) close();
    return Progress::kAnswered;
  }
}

// Whether the head is one that this reader understands.
bool Connection::read_head(size_t end) {
  std::string_view head = std::string_view(head_).substr(0, end);
  if (head.size() < 12 || head.substr(0, 7) != "HTTP/1.") return false;
  const auto digits = head.substr(9, 3);
  if (std::from_chars(digits.begin(), digits.end(), response.status).ec != std::errc()) return false;
  is_last_ = false;
  bool has_length = false;
  for (size_t at = head.find("\r\n"); at != std::string_view::npos;) {
    const size_t next = head.find("\r\n", at + 2);
    const auto line = head.substr(at + 2, next == std::string_view::npos ? next : next - at - 2);
    const auto value = value_of(line);
    if (is_named(line, "content-length")) {
      has_length = std::from_chars(value.begin(), value.end(), body_left_).ec == std::errc();
    } else if (is_named(line, "connection")) {
      is_last_ = strncasecmp(value.data(), "close", std::min<size_t>(value.size(), 5)) == 0;
    } else if (is_named(line, "retry-after")) {
      response.has_retry_after = true;
    }
    at = next;
  }
  return has_length;
}
