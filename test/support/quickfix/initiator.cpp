// A QuickFIX initiator for tests: it logs on, sends what it reads from its input, and prints what it receives.
//
//   initiator <settings file> <username> <password>
//
// Input: `send <fields of the body, with 35 first, separated by |>`, `logout`, `logon`, `stop`.
// Output, a line each: `logon`, `logout`, `app <message>`, `admin <message>`, `sent <message>`; SOH is shown as `|`.
// The program is built against Debian's libquickfix-dev with -std=c++14, which its headers need.
#include <quickfix/Application.h>
#include <quickfix/FileStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketInitiator.h>

#include <iostream>
#include <mutex>
#include <sstream>
#include <string>

namespace {

std::mutex output;

void say(const std::string &line) {
  std::lock_guard<std::mutex> lock(output);
  std::cout << line << std::endl;
}

std::string shown(const FIX::Message &message) {
  std::string text = message.toString();
  for (char &c : text) {
    if (c == '\001') c = '|';
  }
  return text;
}

class Client : public FIX::Application {
public:
  Client(std::string username, std::string password) : username_(username), password_(password) {}

  void onCreate(const FIX::SessionID &) override {}
  void onLogon(const FIX::SessionID &) override { say("logon"); }
  void onLogout(const FIX::SessionID &) override { say("logout"); }

  void toAdmin(FIX::Message &message, const FIX::SessionID &) override {
    FIX::MsgType type;
    message.getHeader().getField(type);
    if (type == FIX::MsgType_Logon) {
      message.setField(FIX::Username(username_));
      message.setField(FIX::Password(password_));
    }
    say("sent " + shown(message));
  }

  void toApp(FIX::Message &message, const FIX::SessionID &) throw(FIX::DoNotSend) override {
    say("sent " + shown(message));
  }

  void fromAdmin(const FIX::Message &message, const FIX::SessionID &)
    throw(FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override {
    say("admin " + shown(message));
  }

  void fromApp(const FIX::Message &message, const FIX::SessionID &)
    throw(FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override {
    say("app " + shown(message));
  }

private:
  std::string username_;
  std::string password_;
};

// `35=V|262=r|267=1|269=0|146=1|55=A`: a field with the first tag of a group begins an entry of it.
FIX::Message parsed(const std::string &body) {
  FIX::Message message;
  std::istringstream fields(body);
  std::string field;
  while (std::getline(fields, field, '|')) {
    const size_t equals = field.find('=');
    const int tag = std::stoi(field.substr(0, equals));
    const std::string value = field.substr(equals + 1);
    if (tag == 35) {
      message.getHeader().setField(tag, value);
    } else if (tag == 269 || tag == 55) {
      FIX::Group group(tag == 269 ? 267 : 146, tag);
      group.setField(tag, value);
      message.addGroup(group);
    } else if (tag != 267 && tag != 146) {
      message.setField(tag, value);
    }
  }
  return message;
}

} // namespace

int main(int count, char **arguments) {
  if (count != 4) return 2;
  try {
    FIX::SessionSettings settings(arguments[1]);
    Client client(arguments[2], arguments[3]);
    FIX::FileStoreFactory store(settings);
    FIX::SocketInitiator initiator(client, store, settings);
    const FIX::SessionID id = *settings.getSessions().begin();
    initiator.start();
    std::string line;
    while (std::getline(std::cin, line) && line != "stop") {
      FIX::Session *session = FIX::Session::lookupSession(id);
      if (line == "logout") {
        session->logout();
      } else if (line == "logon") {
        session->logon();
      } else if (line.rfind("send ", 0) == 0) {
        FIX::Message message = parsed(line.substr(5));
        FIX::Session::sendToTarget(message, id);
      }
    }
    initiator.stop();
    return 0;
  } catch (const std::exception &error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
