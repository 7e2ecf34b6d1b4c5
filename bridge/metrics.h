#pragma once
// Numbers about the daemon in Prometheus' text format (version 0.0.4). Plain C++ for one thread.
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace progtc::bridge {

// A family's series are told apart by label values. Values may come from outside, so a family keeps the first
// kMaxSeries combinations; all further ones share one whose values are "other".
inline constexpr std::size_t kMaxSeries = 100;
using LabelValues = std::initializer_list<std::string_view>;  // as many as the family has label names

class Counter {
 public:
  void add(LabelValues labels = {}, std::uint64_t amount = 1);

 private:
  friend class Metrics;
  explicit Counter(std::vector<std::string> label_names) : label_names_(std::move(label_names)) {}
  std::vector<std::string> label_names_;
  std::map<std::vector<std::string>, std::uint64_t> series_;
};

class Histogram {
 public:
  void observe(double value, LabelValues labels = {});

 private:
  friend class Metrics;
  Histogram(std::vector<double> bounds, std::vector<std::string> label_names)
      : bounds_(std::move(bounds)), label_names_(std::move(label_names)) {}
  struct Series {
    std::vector<std::uint64_t> counts;  // one a bound, and one for what is above them all
    double sum = 0;
  };
  std::vector<double> bounds_;
  std::vector<std::string> label_names_;
  std::map<std::vector<std::string>, Series> series_;
};

// Counters and histograms live as long as the registry. Names are ours: one that is malformed or taken, bounds that do
// not ascend, and a wrong number of label values are bugs and throw std::logic_error.
class Metrics {
 public:
  Metrics() = default;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Without labels a counter starts as a series of 0; with labels each series starts when it is first counted.
  Counter& counter(std::string name, std::string help, std::vector<std::string> label_names = {});
  // `bounds` are the upper ends of the buckets, "+Inf" excluded.
  Histogram& histogram(std::string name, std::string help, std::vector<double> bounds,
                       std::vector<std::string> label_names = {});
  // A counter that is kept elsewhere. `read` is asked at every render(); it must not throw.
  void count(std::string name, std::string help, std::function<double()> read);
  // `read`: as above.
  void gauge(std::string name, std::string help, std::function<double()> read);

  // Families in the order in which they were made.
  std::string render() const;

 private:
  struct Family {
    std::string name;
    std::string help;
    const Counter* counter = nullptr;
    const Histogram* histogram = nullptr;
    std::function<double()> read;
    const char* type;
  };
  void claim(const std::string& name, const std::vector<std::string>& label_names);

  std::set<std::string> names_;
  std::deque<Counter> counters_;  // a deque: references stay good
  std::deque<Histogram> histograms_;
  std::vector<Family> families_;
};

}  // namespace progtc::bridge
