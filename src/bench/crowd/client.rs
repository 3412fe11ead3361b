//! One client of a crowd: what it waits for, and how far it is.

use std::io;
use std::net::IpAddr;

use super::arrival::{Nanos, Reader};
use super::link::{Link, Side};
use crate::bench::script::{Heard, Script, Talk};

/// A client, connected or not.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) source: Option<IpAddr>,
    talk: Talk,
    link: Option<Link>,
    pub(super) state: State,
    /// Attempts to connect that failed, one after the other.
    pub(super) failed: u32,
    pub(super) fault: Option<Fault>,
}

/// How far a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has no connection.
    Gone,
    /// Its connection is being made.
    Connecting,
    /// It has said what it waits for, and has to hear that this was taken in.
    Greeting,
    /// It waits for news.
    Waiting,
    /// It has got the news of this round, and has not asked again.
    Told,
}

/// What kept a client from its news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Wrong(String),
    Broken(String),
}

/// Whether a client that got news asks for the next ones at once, or when it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    AskAgain,
    Hold,
}

/// What became of reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// Nothing that matters to anybody else.
    Same,
    /// The client waits from now on.
    Waits,
    /// The client has the news of that generation; the last of their bytes came then.
    Told(u64, Nanos),
    /// The client has lost its connection.
    Lost,
}

impl Client {
    pub(super) fn new(script: &Script, number: usize, source: Option<IpAddr>) -> Client {
        Client { source, talk: script.begin(number), link: None, state: State::Gone, failed: 0, fault: None }
    }

    pub(super) fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Takes a connection that is being made.
    pub(super) fn connect(&mut self, link: Link) {
        (self.link, self.state, self.fault) = (Some(link), State::Connecting, None);
    }

    /// Says what it waits for, if the connection was made.
    pub(super) fn greet(&mut self) -> Became {
        let opening = self.talk.open();
        let Some(link) = &mut self.link else { return Became::Lost };
        if let Err(error) = link.made().and_then(|()| link.send(&opening)) {
            return self.lose(Fault::Broken(format!("no connection: {error}")));
        }
        self.state = State::Greeting;
        if self.talk.waits_unconfirmed() {
            self.state = State::Waiting;
            return Became::Waits;
        }
        Became::Same
    }

    /// Asks for the next news, where asking is needed.
    pub(super) fn ask_again(&mut self) -> Became {
        let question = self.talk.again();
        let Some(link) = &mut self.link else { return Became::Lost };
        match question.map_or(Ok(()), |question| link.send(&question)) {
            Ok(()) => {
                self.state = State::Waiting;
                Became::Same
            }
            Err(error) => self.lose(Fault::Broken(format!("could not ask again: {error}"))),
        }
    }

    /// Reads what has come, and answers what has to be answered.
    pub(super) fn read(&mut self, reader: &mut Reader, after: After) -> Became {
        let Some(link) = &mut self.link else { return Became::Lost };
        let side = match link.receive(reader) {
            Ok(side) => side,
            Err(error) => return self.lose(Fault::Broken(format!("cut off: {error}"))),
        };
        let became = self.make_sense(after);
        match side {
            // What came before the end counts.
            Side::Done if became == Became::Lost => became,
            Side::Done => match (self.lose(Fault::Broken("the server closed".to_owned())), became) {
                (_, told @ Became::Told(..)) => told,
                (lost, _) => lost,
            },
            Side::Open => became,
        }
    }

    fn make_sense(&mut self, after: After) -> Became {
        let mut became = Became::Same;
        while let Some(link) = &mut self.link {
            let stamp = link.stamp;
            let answered = match self.talk.hear(&mut link.inbox) {
                Heard::More => break,
                Heard::Answer(bytes) if bytes.is_empty() => Ok(()),
                Heard::Answer(bytes) => link.send(&bytes),
                Heard::Settled => {
                    self.state = State::Waiting;
                    became = Became::Waits;
                    Ok(())
                }
                Heard::Nothing => {
                    if self.ask_again() == Became::Lost {
                        return Became::Lost;
                    }
                    Ok(())
                }
                Heard::News(generation) => {
                    self.failed = 0;
                    self.state = State::Told;
                    // Without a stamp there is no arrival to speak of; the kernel gives one with all that it was asked to.
                    became = Became::Told(generation, stamp.unwrap_or_default());
                    if after == After::AskAgain && self.ask_again() == Became::Lost {
                        return Became::Lost;
                    }
                    Ok(())
                }
                Heard::Wrong(what) => return self.lose(Fault::Wrong(what)),
            };
            if let Err(error) = answered {
                return self.lose(Fault::Broken(format!("could not answer: {error}")));
            }
        }
        if let Some(link) = &mut self.link {
            link.inbox.shrink_to_fit();
        }
        became
    }

    /// Gives up the connection.
    pub(super) fn lose(&mut self, fault: Fault) -> Became {
        self.link = None;
        self.fault = Some(fault);
        if self.state != State::Told {
            self.state = State::Gone;
        }
        Became::Lost
    }

    /// Why it did not come to its connection.
    pub(super) fn could_not(&mut self, error: &io::Error) {
        self.lose(Fault::Broken(format!("could not connect: {error}")));
    }
}
