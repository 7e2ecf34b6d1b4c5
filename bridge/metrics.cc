#include "bridge/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "bridge/utf8.h"

namespace progtc::bridge {
namespace {

constexpr std::size_t kMaxLabelBytes = 128;

bool is_name(std::string_view text, bool may_have_colons) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (may_have_colons && c == ':');
  });
}

// Finds or makes the series of `labels`.
template <typename Map>
typename Map::mapped_type& series_of(Map& series, LabelValues labels, std::size_t label_count) {
  if (labels.size() != label_count) throw std::logic_error("metrics: wrong number of label values");
  std::vector<std::string> key;
  for (const std::string_view value : labels) key.push_back(shorten_utf8(to_utf8(value), kMaxLabelBytes));
  if (series.size() >= kMaxSeries && !series.contains(key)) std::fill(key.begin(), key.end(), "other");
  return series[std::move(key)];
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string escape(std::string_view text, bool is_quoted) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && is_quoted) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

// {a="x",b="y"}, with `bound` as the label "le" where there is one; empty without any label.
std::string label_text(const std::vector<std::string>& names, const std::vector<std::string>& values,
                       const std::string& bound = {}) {
  std::string out;
  const auto put = [&](const std::string& name, const std::string& value) {
    out += out.empty() ? '{' : ',';
    out += name + "=\"" + escape(value, true) + '"';
  };
  for (std::size_t at = 0; at < names.size(); ++at) put(names[at], values[at]);
  if (!bound.empty()) put("le", bound);
  return out.empty() ? out : out + "}";
}

}  // namespace

void Counter::add(LabelValues labels, std::uint64_t amount) {
  series_of(series_, labels, label_names_.size()) += amount;
}

void Histogram::observe(double value, LabelValues labels) {
  Series& series = series_of(series_, labels, label_names_.size());
  series.counts.resize(bounds_.size() + 1);
  // The first bound that is not below it; what is not a number belongs to no bucket but the last.
  const auto bound = std::isnan(value) ? bounds_.end() : std::lower_bound(bounds_.begin(), bounds_.end(), value);
  ++series.counts[static_cast<std::size_t>(bound - bounds_.begin())];
  series.sum += value;
}

void Metrics::claim(const std::string& name, const std::vector<std::string>& label_names) {
  if (!is_name(name, true)) throw std::logic_error("metrics: '" + name + "' is not a name");
  for (const std::string& label : label_names) {
    if (!is_name(label, false) || label == "le" || label.starts_with("__"))
      throw std::logic_error("metrics: '" + label + "' is not a label of ours");
  }
  if (!names_.insert(name).second) throw std::logic_error("metrics: '" + name + "' is taken");
}

Counter& Metrics::counter(std::string name, std::string help, std::vector<std::string> label_names) {
  claim(name, label_names);
  Counter& made = counters_.emplace_back(Counter(std::move(label_names)));
  if (made.label_names_.empty()) made.add({}, 0);
  families_.push_back({std::move(name), std::move(help), &made, nullptr, {}, "counter"});
  return made;
}

Histogram& Metrics::histogram(std::string name, std::string help, std::vector<double> bounds,
                              std::vector<std::string> label_names) {
  claim(name, label_names);
  if (std::adjacent_find(bounds.begin(), bounds.end(), [](double a, double b) { return !(a < b); }) != bounds.end())
    throw std::logic_error("metrics: the bounds of '" + name + "' do not ascend");
  Histogram& made = histograms_.emplace_back(Histogram(std::move(bounds), std::move(label_names)));
  families_.push_back({std::move(name), std::move(help), nullptr, &made, {}, "histogram"});
  return made;
}

void Metrics::count(std::string name, std::string help, std::function<double()> read) {
  claim(name, {});
  families_.push_back({std::move(name), std::move(help), nullptr, nullptr, std::move(read), "counter"});
}

void Metrics::gauge(std::string name, std::string help, std::function<double()> read) {
  claim(name, {});
  families_.push_back({std::move(name), std::move(help), nullptr, nullptr, std::move(read), "gauge"});
}

std::string Metrics::render() const {
  std::string out;
  for (const Family& family : families_) {
    out += "# HELP " + family.name + " " + escape(family.help, false) + "\n";
    out += "# TYPE " + family.name + " " + family.type + "\n";
    if (family.counter) {
      for (const auto& [values, count] : family.counter->series_)
        out += family.name + label_text(family.counter->label_names_, values) + " " + std::to_string(count) + "\n";
    } else if (family.histogram) {
      const Histogram& histogram = *family.histogram;
      for (const auto& [values, series] : histogram.series_) {
        std::uint64_t total = 0;
        for (std::size_t at = 0; at < series.counts.size(); ++at) {
          total += series.counts[at];
          const std::string bound = at < histogram.bounds_.size() ? number(histogram.bounds_[at]) : "+Inf";
          out += family.name + "_bucket" + label_text(histogram.label_names_, values, bound) + " " +
                 std::to_string(total) + "\n";
        }
        const std::string labels = label_text(histogram.label_names_, values);
        out += family.name + "_sum" + labels + " " + number(series.sum) + "\n";
        out += family.name + "_count" + labels + " " + std::to_string(total) + "\n";
      }
    } else {
      out += family.name + " " + number(family.read()) + "\n";
    }
  }
  return out;
}

}  // namespace progtc::bridge
