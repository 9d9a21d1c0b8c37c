// The load of `npm run bench:serve`: requests made beforehand, sent over keep-alive connections on loopback,
// one at a time on each. Closed loop: every connection sends its next request when it has its answer. Open
// loop: requests arrive by a Poisson process whether or not there are answers, take the connection that has
// been idle longest, and wait for one where there is none; their time counts from when they arrived, so that
// a server that stalls is charged for all who would have come meanwhile. One thread, asleep whenever there is
// nothing to do: it shares the machine with the server. Linux only (epoll, timerfd). Writes a record for
// every request and prints one JSON object.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <deque>
#include <exception>
#include <fstream>
#include <random>
#include <stdexcept>
#include <system_error>

#include "connection.h"
#include "options.h"

namespace {

// As load.ts reads it. Seconds; `start` counts from the beginning of the run.
struct Record {
  double start;
  float latency;
  // 0: no answer came.
  uint16_t status;
  uint16_t has_retry_after;
};
constexpr uint32_t kReadable = EPOLLIN, kBoth = uint32_t{EPOLLIN} | uint32_t{EPOLLOUT};

static_assert(sizeof(Record) == 16, "load.ts reads records of 16 bytes");

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

double processor_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The times at which requests arrive: exponential gaps, anew in each phase.
class Arrivals {
 public:
  Arrivals(const std::vector<Phase>& phases, uint64_t seed) : phases_(phases), random_(seed) { advance(); }

  bool is_over() const { return phase_ == phases_.size(); }
  double next() const { return next_; }

  void advance() {
    for (; phase_ < phases_.size(); phase_++) {
      const Phase& phase = phases_[phase_];
      if (phase.rate > 0) {
        // uniform_real_distribution may differ between libraries; the bits of the engine do not.
        const double uniform = double(random_() >> 11) * 0x1p-53;
        next_ -= std::log1p(-uniform) / phase.rate;
        if (next_ < begin_ + phase.seconds) return;
      }
      next_ = begin_ += phase.seconds;
    }
  }

 private:
  const std::vector<Phase>& phases_;
  std::mt19937_64 random_;
  size_t phase_ = 0;
  double begin_ = 0;
  double next_ = 0;
};

struct Lane {
  Connection connection;
  const Script* script = nullptr;
  bool is_started = false;
  bool is_busy = false;
  bool is_watched_for_writing = false;
  double start = 0;
};

class Load {
 public:
  Load(const Options& options, const std::vector<Script>& scripts)
      : options_(options), lanes_(scripts.size()), arrivals_(options.phases, options.seed) {
    server_.sin_family = AF_INET;
    server_.sin_port = htons(options.port);
    server_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_event event{};
    event.events = kReadable;
    event.data.ptr = nullptr;
    if (epoll_ < 0 || timer_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "epoll");
    }
    for (size_t i = 0; i < lanes_.size(); i++) {
      lanes_[i].script = &scripts[i];
      connect(lanes_[i]);
      idle_.push_back(&lanes_[i]);
    }
  }

  void run() {
    const bool is_closed_loop = options_.phases.empty();
    begin_ = now();
    const double processor = processor_seconds();
    double last = options_.seconds;
    for (const Phase& phase : options_.phases) last += phase.seconds;
    if (is_closed_loop) {
      for (; !idle_.empty(); idle_.pop_front()) dispatch(*idle_.front(), 0);
    }
    for (;;) {
      const double time = now() - begin_;
      is_issuing_ = is_closed_loop && time < last;
      if (!is_closed_loop) arrive(time);
      const bool is_done = time >= last && busy_ == 0 && waiting_.empty();
      if (is_done || time >= last + options_.grace) break;
      // Every wait ends by the time at which the run does, or its grace.
      set_timer(arrivals_.is_over() || is_closed_loop ? (time < last ? last : last + options_.grace)
                                                      : arrivals_.next());
      epoll_event events[256];
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == nullptr) {
          uint64_t expirations;
          if (read(timer_, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
            throw std::runtime_error("timer");
        } else {
          attend(*static_cast<Lane*>(events[i].data.ptr), events[i].events);
        }
      }
    }
    const double seconds = now() - begin_;
    for (const Lane& lane : lanes_) {
      if (lane.is_busy) records_.push_back({lane.start, float(seconds - lane.start), 0, 0});
    }
    for (double start : waiting_) records_.push_back({start, float(seconds - start), 0, 0});
    std::printf("{\"seconds\": %.6f, \"processorSeconds\": %.6f, \"reconnections\": %zu}\n", last,
                processor_seconds() - processor, connections_ - lanes_.size());
  }

  void write_records(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(records_.data()),
               std::streamsize(records_.size() * sizeof(Record)));
    if (!file.flush()) throw std::runtime_error(path + " cannot be written");
  }

 private:
  void connect(Lane& lane) {
    lane.connection.open(server_);
    connections_++;
    lane.is_watched_for_writing = false;
    watch(lane, EPOLL_CTL_ADD, kReadable);
  }

  void watch(Lane& lane, int operation, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &lane;
    if (epoll_ctl(epoll_, operation, lane.connection.fd(), &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
  }

  // Sends what has arrived by now, as far as there are connections.
  void arrive(double time) {
    for (; !arrivals_.is_over() && arrivals_.next() <= time; arrivals_.advance()) {
      waiting_.push_back(arrivals_.next());
    }
    while (!waiting_.empty() && !idle_.empty()) {
      Lane& lane = *idle_.front();
      idle_.pop_front();
      dispatch(lane, waiting_.front());
      waiting_.pop_front();
    }
  }

  void dispatch(Lane& lane, double start) {
    lane.start = start;
    lane.is_busy = true;
    busy_++;
    if (!lane.connection.is_open()) connect(lane);
    const std::string& request = lane.is_started ? lane.script->next : lane.script->first;
    if (lane.connection.send(request) == Connection::Progress::kBroken) finish(lane, 0);
    update_watch(lane);
  }

  void update_watch(Lane& lane) {
    const bool is_sending = lane.connection.is_open() && lane.connection.is_sending();
    if (is_sending == lane.is_watched_for_writing || !lane.connection.is_open()) return;
    lane.is_watched_for_writing = is_sending;
    watch(lane, EPOLL_CTL_MOD, is_sending ? kBoth : kReadable);
  }

  void attend(Lane& lane, uint32_t events) {
    if (!lane.connection.is_open()) return;
    if (!lane.is_busy) {
      // The server ends an idle connection; the next request opens another.
      lane.connection.close();
      return;
    }
    if ((events & EPOLLOUT) != 0 && lane.connection.resume() == Connection::Progress::kBroken) {
      finish(lane, 0);
      return;
    }
    const auto progress = lane.connection.receive();
    if (progress != Connection::Progress::kWaiting) {
      finish(lane, progress == Connection::Progress::kAnswered ? lane.connection.response.status : 0);
    } else {
      update_watch(lane);
    }
  }

  void finish(Lane& lane, int status) {
    const double time = now() - begin_;
    const bool has_retry_after = status != 0 && lane.connection.response.has_retry_after;
    records_.push_back({lane.start, float(time - lane.start), uint16_t(status), has_retry_after});
    lane.is_busy = false;
    busy_--;
    if (status == 200) lane.is_started = true;
    if (is_issuing_) {
      dispatch(lane, time);
    } else {
      idle_.push_back(&lane);
    }
  }

  void set_timer(double time) {
    if (time == timer_set_to_) return;
    timer_set_to_ = time;
    const double at = begin_ + time;
    itimerspec spec{};
    spec.it_value.tv_sec = time_t(at);
    spec.it_value.tv_nsec = long((at - std::floor(at)) * 1e9);
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  const Options& options_;
  std::deque<Lane> lanes_;
  Arrivals arrivals_;
  sockaddr_in server_{};
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int timer_ = -1;
  double timer_set_to_ = -1;
  double begin_ = 0;
  // Whether a connection that has its answer sends the next request at once.
  bool is_issuing_ = false;
  size_t busy_ = 0;
  size_t connections_ = 0;
  std::deque<Lane*> idle_;
  // Arrived, and without a connection yet.
  std::deque<double> waiting_;
  std::vector<Record> records_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = read_options(argc, argv);
    const std::vector<Script> scripts = read_scripts(options.requests);
    Load load(options, scripts);
    load.run();
    load.write_records(options.records);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 2;
  }
  return 0;
}
