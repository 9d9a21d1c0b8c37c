// A keep-alive HTTP/1.1 connection with at most one request under way, and no more of the protocol than a
// server's answers to such requests need: a status line, headers and a body of a declared length.
#pragma once

#include <netinet/in.h>

#include <string>
#include <string_view>

struct Response {
  int status = 0;
  bool has_retry_after = false;
};

class Connection {
 public:
  enum class Progress { kWaiting, kAnswered, kBroken };

  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(); }

  // Throws std::system_error if the server cannot be reached.
  void open(const sockaddr_in& server);
  void close();
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // `request` must outlive the request. Call `resume` when the socket is writable while `is_sending`.
  Progress send(std::string_view request);
  Progress resume();
  bool is_sending() const { return !unsent_.empty(); }

  // Reads what is there. After kAnswered `response` holds the answer and `is_open` tells whether the
  // connection may be used again.
  Progress receive();
  Response response;

 private:
  Progress fail();
  bool read_head(size_t end);

  int fd_ = -1;
  std::string_view unsent_;
  // The answer's head, as far as it has come.
  std::string head_;
  size_t body_left_ = 0;
  bool is_in_body_ = false;
  bool is_last_ = false;
};
