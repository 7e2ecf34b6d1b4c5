#include "bridge/progtc/turns.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace progtc::bridge {
namespace {

TEST(TurnsTest, NobodyWaits) {
  Turns turns;
  EXPECT_EQ(turns.next(), std::nullopt);
  turns.begin("a");
  EXPECT_EQ(turns.next(), std::nullopt);
  EXPECT_EQ(turns.running(), 1U);
  turns.end("a");
  EXPECT_EQ(turns.running(), 0U);
}

TEST(TurnsTest, OneClientsRunsComeInOrder) {
  Turns turns;
  const Turns::Ticket first = turns.wait("a");
  const Turns::Ticket second = turns.wait("a");
  EXPECT_EQ(turns.waiting(), 2U);
  EXPECT_EQ(turns.next(), first);
  EXPECT_EQ(turns.next(), second);
  EXPECT_EQ(turns.next(), std::nullopt);
  EXPECT_EQ(turns.running(), 2U);
}

TEST(TurnsTest, WhoSendsManyDoesNotKeepTheNextOneWaiting) {
  // One place, held in turn.
  Turns turns;
  turns.begin("many");
  std::string order;
  std::map<Turns::Ticket, char> names;
  for (int i = 0; i < 4; ++i) names[turns.wait("many")] = 'm';
  for (int i = 0; i < 2; ++i) names[turns.wait("few")] = 'f';
  std::string holder = "many";
  for (int i = 0; i < 6; ++i) {
    turns.end(holder);
    const char next = names.at(turns.next().value());
    holder = next == 'm' ? "many" : "few";
    order += next;
  }
  EXPECT_EQ(order, "fmfmmm");
}

TEST(TurnsTest, WhoComesBackDoesNotOvertakeWhoStays) {
  Turns turns;
  turns.begin("a");
  std::map<Turns::Ticket, std::string> names;
  for (int i = 0; i < 12; ++i) names[turns.wait("stays")] = "stays";
  names[turns.wait("b")] = "b";
  names[turns.wait("c")] = "c";
  std::string holder = "a";
  std::map<std::string, int> count;
  for (int i = 0; i < 30; ++i) {
    turns.end(holder);
    holder = names.at(turns.next().value());
    ++count[holder];
    if (holder != "stays") names[turns.wait(holder)] = holder;  // one at a time, and always one
  }
  EXPECT_EQ(count["stays"], 10);
  EXPECT_EQ(count["b"], 10);
  EXPECT_EQ(count["c"], 10);
}

TEST(TurnsTest, WhoHoldsFewestGoesFirst) {
  Turns turns;
  for (int i = 0; i < 3; ++i) turns.begin("a");
  turns.begin("b");
  const Turns::Ticket of_a = turns.wait("a");
  const Turns::Ticket of_b = turns.wait("b");
  const Turns::Ticket of_c = turns.wait("c");
  EXPECT_EQ(turns.next(), of_c);
  EXPECT_EQ(turns.next(), of_b);
  EXPECT_EQ(turns.next(), of_a);
}

TEST(TurnsTest, WhoGivesUpIsPassedOver) {
  Turns turns;
  const Turns::Ticket gone = turns.wait("a");
  const Turns::Ticket stays = turns.wait("a");
  turns.forget(gone);
  turns.forget(gone);
  turns.forget(0);
  EXPECT_EQ(turns.waiting(), 1U);
  EXPECT_EQ(turns.next(), stays);
  turns.forget(stays);  // it runs by now
  EXPECT_EQ(turns.running(), 1U);
}

}  // namespace
}  // namespace progtc::bridge
