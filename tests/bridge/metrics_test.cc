#include "bridge/metrics.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetricsTest, RendersInTheTextFormat) {
  Metrics metrics;
  Counter& runs = metrics.counter("progtc_runs_total", "Runs that ended.", {"kind", "policy"});
  metrics.counter("progtc_connections_total", "Connections \\ accepted,\nall of them.").add({}, 2);
  double parked = 3;
  metrics.gauge("progtc_parked", "Sandboxes that wait.", [&] { return parked; });
  Histogram& seconds = metrics.histogram("progtc_run_seconds", "Wall time.", {0.1, 1, 10}, {"policy"});
  runs.add({"exited", "strict"});
  runs.add({"exited", "strict"});
  runs.add({"timeout", "a\"b\\c\nd"});
  seconds.observe(0.1, {"ci"});
  seconds.observe(0.5, {"ci"});
  seconds.observe(50, {"ci"});
  parked = 4.5;
  EXPECT_EQ(metrics.render(),
            "# HELP progtc_runs_total Runs that ended.\n"
            "# TYPE progtc_runs_total counter\n"
            "progtc_runs_total{kind=\"exited\",policy=\"strict\"} 2\n"
            "progtc_runs_total{kind=\"timeout\",policy=\"a\\\"b\\\\c\\nd\"} 1\n"
            "# HELP progtc_connections_total Connections \\\\ accepted,\\nall of them.\n"
            "# TYPE progtc_connections_total counter\n"
            "progtc_connections_total 2\n"
            "# HELP progtc_parked Sandboxes that wait.\n"
            "# TYPE progtc_parked gauge\n"
            "progtc_parked 4.5\n"
            "# HELP progtc_run_seconds Wall time.\n"
            "# TYPE progtc_run_seconds histogram\n"
            "progtc_run_seconds_bucket{policy=\"ci\",le=\"0.1\"} 1\n"
            "progtc_run_seconds_bucket{policy=\"ci\",le=\"1\"} 2\n"
            "progtc_run_seconds_bucket{policy=\"ci\",le=\"10\"} 2\n"
            "progtc_run_seconds_bucket{policy=\"ci\",le=\"+Inf\"} 3\n"
            "progtc_run_seconds_sum{policy=\"ci\"} 50.6\n"
            "progtc_run_seconds_count{policy=\"ci\"} 3\n");
}

TEST(MetricsTest, ACounterWithoutLabelsStartsAtZero) {
  Metrics metrics;
  metrics.counter("a_total", "A.");
  metrics.counter("b_total", "B.", {"x"});
  EXPECT_THAT(metrics.render(), HasSubstr("a_total 0\n"));
  EXPECT_THAT(metrics.render(), Not(HasSubstr("b_total{")));
}

TEST(MetricsTest, ACounterMayBeKeptElsewhere) {
  Metrics metrics;
  double lines = 3;
  metrics.count("lines_total", "Lines.", [&] { return lines; });
  lines = 4;
  EXPECT_EQ(metrics.render(), "# HELP lines_total Lines.\n# TYPE lines_total counter\nlines_total 4\n");
}

TEST(MetricsTest, SeriesAreBounded) {
  Metrics metrics;
  Counter& counter = metrics.counter("a_total", "A.", {"path", "code"});
  for (int i = 0; i < 10'000; ++i) counter.add({"/" + std::to_string(i), "404"});
  counter.add({"/5", "404"});
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("a_total{path=\"/5\",code=\"404\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("a_total{path=\"other\",code=\"other\"} 9900\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2 + 101);
}

TEST(MetricsTest, LabelValuesAreShortUtf8) {
  Metrics metrics;
  Counter& counter = metrics.counter("a_total", "A.", {"x"});
  counter.add({"\xFF"});
  counter.add({std::string(1000, 'y')});
  EXPECT_THAT(metrics.render(), HasSubstr("{x=\"\uFFFD\"} 1"));
  EXPECT_LT(metrics.render().size(), 300U);
}

TEST(MetricsTest, NumbersThatAreNone) {
  Metrics metrics;
  Histogram& histogram = metrics.histogram("h", "H.", {1});
  histogram.observe(std::numeric_limits<double>::quiet_NaN());
  metrics.gauge("g", "G.", [] { return -std::numeric_limits<double>::infinity(); });
  EXPECT_THAT(metrics.render(), HasSubstr("h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 1\nh_sum NaN\nh_count 1\n"));
  EXPECT_THAT(metrics.render(), HasSubstr("g -Inf\n"));
}

TEST(MetricsTest, ReferencesStayGood) {
  Metrics metrics;
  Counter& first = metrics.counter("first_total", "F.");
  for (int i = 0; i < 1000; ++i) metrics.counter("n" + std::to_string(i), "N.");
  first.add();
  EXPECT_THAT(metrics.render(), HasSubstr("first_total 1\n"));
}

TEST(MetricsTest, MisuseIsABug) {
  Metrics metrics;
  Counter& counter = metrics.counter("a", "A.", {"x"});
  EXPECT_THROW(metrics.counter("a", "Again."), std::logic_error);
  EXPECT_THROW(metrics.counter("1a", ""), std::logic_error);
  EXPECT_THROW(metrics.counter("b c", ""), std::logic_error);
  EXPECT_THROW(metrics.counter("c", "", {"le"}), std::logic_error);
  EXPECT_THROW(metrics.histogram("d", "", {1, 1}), std::logic_error);
  EXPECT_THROW(counter.add(), std::logic_error);
}

}  // namespace
}  // namespace progtc::bridge
