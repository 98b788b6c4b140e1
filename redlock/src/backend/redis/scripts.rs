//! The Lua that runs on the server: one script per operation, and one that runs many of them ([`Script::Batch`]).
//!
//! The rules of an operation are written once, in terms of these variables: the main key `k`, the auxiliary key `x`, the
//! owner `o`, the TTL `l`, the deadline `d`, for how long to keep the counter `q`, the last token that the hint gives (or the least
//! value) as a number `g` and as the text `h` that is to be stored, which goes on with the owner's description where there is one
//! ([`super::auxiliary`]), the span or "restore" `s`. A script of one operation takes them from KEYS and ARGV and
//! answers at once; in a batch each operation is a function, so that one that fails does so alone.
//!
//! Every script reads the server's clock first and answers `{code, clock}` or `{code, clock, number}`, all integers; the
//! clock is in microseconds, far below the 2^53 up to which Lua counts exactly. The number is the fencing counter of a
//! grant, or what the holder of a refusal has left; who that is comes behind it, as a text. A script that fails has left
//! nothing behind: it reads before it writes, or puts back what it wrote; and Redis lets one that has written go on
//! whatever the memory limit says.
//!
//! The first line carries the server's `run_id`. Scripts are called by their hash alone (EVALSHA, never EVAL), so that
//! another process behind the same address answers NOSCRIPT instead of granting what its predecessor has forgotten.
//!
//! With the restart guard the text of every script that gives or prolongs also carries the marker that the client has judged, and
//! does nothing where the server has another one.

use fred::bytes_utils::Str;

use super::{keys, marker};
use crate::protections::Protections;

/// What the scripts of one connection expect of the server's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard<'a> {
    /// Nothing: the restart guard is off.
    Off,
    /// There is no marker of its present memory, but this text: it gives nothing.
    Unmarked { there: &'a str },
    /// This marker, a text of [`super::marker`]. Before `until`, and without a floor for its counters, it gives nothing new.
    Marked { text: &'a str, until: u64, floor: Option<u64> },
}

/// The operations, in the order in which their scripts are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Acquire,
    Extend,
    Raise,
    Release,
    Inspect,
    Look,
    Mark,
    /// Many of the first five, those on names, in one call.
    Batch,
}

/// What a script's answer begins with.
pub(super) mod code {
    pub(in super::super) const DONE: i64 = 0;
    pub(in super::super) const HELD: i64 = 1;
    pub(in super::super) const MISSING: i64 = 2;
    pub(in super::super) const STALE: i64 = 3;
    pub(in super::super) const EXHAUSTED: i64 = 4;
    pub(in super::super) const QUARANTINED: i64 = 5;
    pub(in super::super) const UNMARKED: i64 = 6;
}

/// What [`COUNT`] uses, once for a whole batch.
const CUTTING: &str = "local byte,sub=string.byte,string.sub";
/// Read once in a batch too: scripts run one at a time, so that it is earlier than the clock of any later one.
const CLOCK: &str = "local call=redis.call local t=call('TIME') local now=t[1]*1000000+t[2]";
/// Whoever has the key. Of what others have written, so much is enough to tell it from others'.
const OWNER: &str = "string.sub(v,1,64)";
/// Gives the key `l` milliseconds, unless it has more already, or no end at all.
const PROLONG: &str = "local p=call('PTTL',k) if p>=0 and p<tonumber(l) then call('PEXPIRE',k,l) end";
const PROLONG_OR_SHORTEN: &str = "call('PEXPIRE',k,l)";
const NO_COUNTER: &str =
    "return redis.error_reply('WRONGTYPE the fencing counter is no whole number below 2^53; delete '..x)";
/// The fencing counter of `x`, 0 if there is none, and `u`, all that is there. What is no whole number up to 2^53 (NaN neither) was not
/// written here.
const COUNTER: &str = "local u=call('GET',x) or '0' local c=COUNTER_OF_U \
    if not c or c<0 or c>=9007199254740992 or c%1~=0 then NO_COUNTER end";
/// Counts up to `n`, which the hint asks for, or, seldom, further. One command in most cases: it stores and returns what was there.
/// What cannot be counted up is put back, and the lock with it. From 2001 to 2286 a counter has 16 digits, which are cut out faster than they
/// are found.
const COUNT: &str = "local c=n local u=redis.pcall('SET',x,c==g and h or TEXT,'PX',KEEP,'GET') if u then \
    if type(u)=='table' then call('DEL',k) return u end \
    c=(byte(u,17) or 32)==32 and tonumber(sub(u,1,16)) or COUNTER_OF_U if not c or c<0 or c>=9007199254740992 or c%1~=0 then \
    call('SET',x,u) call('DEL',k) NO_COUNTER end \
    if c+s>n then n=c+s if n<9007199254740992 then c=n end \
    call('SET',x,TEXT,'PX',KEEP) if c<n then call('DEL',k) EXHAUSTED end end c=n end";
/// A counter alone, or with a description behind a space. A number may end in one.
const COUNTER_OF_U: &str = "tonumber(string.match(u,'^%d+ ') or u)";
/// The counter `c` with the description of the request. A number that becomes a text by itself would be rounded.
const TEXT: &str = "string.format('%.0f',c)..(string.match(h,' .*') or '')";
/// Where the counter goes for the hint and the span if there is none, as `node::fence::next_counter` has it.
const NEXT: &str = "local n=i+s-1 if n<FLOOR+s then n=FLOOR+s end";
const CLAMPED: &str =
    "local i=g-s+1 if i<now-1000000 then i=now-1000000 elseif i>now+1000000 then i=now+1000000 end";
const UNCLAMPED: &str = "local i=g-s+1";
/// Has the counter stand at `c`, and keeps it for as long as `node::fence::keep_for` says, or up to a second longer. What is sent
/// is enough for a counter that is a second ahead of the server's time; strings go on as they are, numbers cost a conversion.
/// A request without a description leaves the one that is there, whose owner is named in it.
const STORE: &str = "local e=c==g and h if not e or not string.find(e,' ',1,true) then \
    e=string.format('%.0f',c)..(h and string.match(h,' .*') or string.match(u,' .*') or '') end \
    call('SET',x,e,'PX',KEEP)";
const KEEP: &str = "c>now+1000000 and q+math.ceil((c-now)/1000) or q";

/// How an operation gives its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// It is the whole script's.
    Single,
    /// To the loop of the batch, which adds it to the others.
    Batch,
}

impl Form {
    /// `values`: a code, and up to two numbers.
    fn answer(self, values: &str) -> String {
        match (self, values.split_once(',')) {
            (Self::Single, Some((code, numbers))) => format!("return {{{code},now,{numbers}}}"),
            (Self::Single, None) => format!("return {{{values},now}}"),
            (Self::Batch, _) => format!("return {values}"),
        }
    }

    fn held_by_another(self) -> String {
        self.answer(&format!("1,call('PTTL',k),{OWNER}"))
    }
}

impl Script {
    pub(super) const ALL: [Self; 8] = [
        Self::Acquire,
        Self::Extend,
        Self::Raise,
        Self::Release,
        Self::Inspect,
        Self::Look,
        Self::Mark,
        Self::Batch,
    ];
    /// What a batch can hold, in the order of their functions in [`LOOP`], which are counted from one.
    pub(super) const BATCHED: [Self; 5] =
        [Self::Acquire, Self::Extend, Self::Raise, Self::Release, Self::Inspect];

    /// What it does, for errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Extend => "extend",
            Self::Raise => "raise",
            Self::Release => "release",
            Self::Inspect => "inspect",
            Self::Look => "a look",
            Self::Mark => "a change of the marker",
            Self::Batch => "a batch",
        }
    }

    /// The text for one server process. KEYS: main key, auxiliary key. ARGV: owner, TTL in milliseconds, deadline in the
    /// server's microseconds; where there is a fence also for how long to keep the counter, in milliseconds, and then
    /// the last token that the hint gives, and the span (acquire), or the least value (extend, raise). A description follows the token, or
    /// the least value, in the same argument; to acquire there is then a seventh, the token alone. Extend has two empty ones without
    /// a fence, and a sixth if it is to restore. A look has none of them; for a change of the marker see [`MARK`], for a batch [`LOOP`].
    pub(super) fn render(self, run_id: &str, guard: Guard<'_>, protections: &Protections) -> String {
        let rules = || self.rules(Form::Single, guard, protections);
        let body = match self {
            Self::Acquire => format!(
                "{CUTTING} local same local k,x,o,l,d,q,h,g,s=KEYS[1],KEYS[2],ARGV[1],ARGV[2],tonumber(ARGV[3]),ARGV[4],ARGV[5],\
                 tonumber(ARGV[7] or ARGV[5]),tonumber(ARGV[6]) {}",
                rules()
            ),
            Self::Extend | Self::Raise => format!(
                "local same local k,x,o,l,d,q,h,g,s=KEYS[1],KEYS[2],ARGV[1],ARGV[2],tonumber(ARGV[3]),ARGV[4]~='' and ARGV[4],\
                 ARGV[5],tonumber(string.match(ARGV[5],'^%d+')),ARGV[6] {}",
                rules()
            ),
            Self::Release => format!("local k,o=KEYS[1],ARGV[1] {}", rules()),
            Self::Inspect => format!("local k,x=KEYS[1],KEYS[2] {}", rules()),
            Self::Look => format!("{} {}", guard.is_unchanged(), guard.ceiling()),
            Self::Mark => MARK.to_owned(),
            Self::Batch => {
                let functions = Self::BATCHED.map(|script| {
                    format!(
                        "function(k,x,o,l,d,q,h,g,s) {} end",
                        script.rules(Form::Batch, guard, protections)
                    )
                });
                format!("{CUTTING} {}", LOOP.replace("FUNCTIONS", &functions.join(",")))
            }
        };
        format!("-- redlock {run_id}\n{CLOCK} {body}")
    }

    /// What an operation on a name does: the same alone and in a batch.
    fn rules(self, form: Form, guard: Guard<'_>, protections: &Protections) -> String {
        let stale = if protections.stale_deadline() {
            format!("if now>d then {} end", form.answer("3"))
        } else {
            String::new()
        };
        let marked = guard.compare(form, protections);
        let store = guard.store();
        let prolong = if protections.never_shorten() { PROLONG } else { PROLONG_OR_SHORTEN };
        let clamp = if protections.fence_clamp() { CLAMPED } else { UNCLAMPED };
        // A counter that was lost under its lock is begun anew.
        let again = if protections.fence_once() {
            "if c==0 then c=math.min(n,9007199254740991) end"
        } else {
            "c=math.max(c+s,n)"
        };
        let [done, counted, missing, exhausted] = ["0", "0,c", "2", "4"].map(|values| form.answer(values));
        let held = form.held_by_another();
        let text = match self {
            Self::Acquire => format!(
                "{stale} {marked} {admitted} if not q then \
                 if call('SET',k,o,'NX','PX',l) then {done} end \
                 local v=call('GET',k) if v==o then {prolong} {done} end {held} end \
                 {clamp} {next} \
                 if n<9007199254740992 and call('SET',k,o,'NX','PX',l) then {count} {note} {counted} end \
                 local v=call('GET',k) if v==o then {COUNTER} {again} {store} {prolong} {counted} end \
                 if v then {held} end {exhausted}",
                admitted = guard.admitted(form),
                next = NEXT.replace("FLOOR", &guard.floor().to_string()),
                count = COUNT.replace("KEEP", KEEP).replace("EXHAUSTED", &exhausted),
                note = guard.note(),
            ),
            Self::Extend => {
                let owned = if protections.extend_owner_check() { "v==o" } else { "v" };
                let give = format!("if v then {prolong} else call('SET',k,o,'PX',l) end");
                format!(
                    "{stale} {marked} local v=call('GET',k) if {owned} or (s and not v) then \
                     if not q then {give} {done} end \
                     {COUNTER} c=math.max(c,g) {give} {store} {counted} end \
                     if v then {held} end {missing}"
                )
            }
            Self::Raise => format!(
                "{stale} {marked} local v=call('GET',k) if v==o then \
                 {COUNTER} c=math.max(c,g) {store} {counted} end \
                 if v then {held} end {missing}"
            ),
            Self::Release => {
                let owned = if protections.release_owner_check() { "==o" } else { "" };
                format!("if call('GET',k){owned} then call('DEL',k) {done} end {missing}")
            }
            Self::Inspect => format!(
                "{COUNTER} local v=call('GET',k) if v then {} end {}",
                form.answer(&format!(
                    "1,call('PTTL',k),c,{OWNER},string.sub(string.match(u,' (.*)') or '',1,2000)"
                )),
                form.answer("2,-1,c")
            ),
            // These are about no name.
            Self::Look | Self::Mark | Self::Batch => String::new(),
        };
        text.replace("NO_COUNTER", NO_COUNTER).replace("COUNTER_OF_U", COUNTER_OF_U).replace("TEXT", TEXT)
    }
}

/// Runs many operations in their order. KEYS: their keys, one after the other. ARGV: one array in MessagePack with nine values for
/// each: which function, whether an auxiliary key follows the main key, and then `o`, `l`, `d`, `q`, `h`, `g` and `s`.
///
/// Answers the clock, and then for each operation what it comes to: a number for a success (the counter, or 0 where there is
/// none), an array of a code and what belongs to it for anything else, and a text where a command has failed.
const LOOP: &str = "local same local f={FUNCTIONS} local a,r,j=cmsgpack.unpack(ARGV[1]),{now},1 \
    for p=1,#a,9 do local k,x=KEYS[j] j=j+1 if a[p+1] then x=KEYS[j] j=j+1 end \
    local ok,e,n,c,v,w=pcall(f[a[p]],k,x,a[p+2],a[p+3],a[p+4],a[p+5],a[p+6],a[p+7],a[p+8]) \
    if not ok or type(e)=='table' then r[#r+1]=tostring(type(e)=='table' and e.err or e) \
    elseif e==0 and n~=0 then r[#r+1]=n or 0 else r[#r+1]={e,n,c,v,w} end end return r";

/// Changes the marker, KEYS[1]. ARGV: the text that is to be there now (nothing: none), the fields before its birth, birth
/// and end of quarantine (both empty: now, and ARGV[5] microseconds later), the floor, the fields behind it, and whether
/// the quarantine must be over.
const MARK: &str = "if (redis.call('GET',KEYS[1]) or '')~=ARGV[1] then return {6,now} end \
    local born,till=ARGV[3],ARGV[4] \
    if born=='' then born=string.format('%.0f',now) till=string.format('%.0f',now+ARGV[5]) end \
    if ARGV[8]=='1' and now<tonumber(till) then return {5,now} end \
    redis.call('SET',KEYS[1],ARGV[2]..' '..born..' '..till..' '..ARGV[6]..' '..ARGV[7]) return {0,now}";

impl Guard<'_> {
    /// Does nothing unless the marker is the one that was judged.
    fn compare(self, form: Form, protections: &Protections) -> String {
        if !protections.marker_check() {
            return String::new();
        }
        let other = form.answer("6");
        match self {
            Self::Off => String::new(),
            Self::Unmarked { .. } => format!("do {other} end"),
            // In a batch once: no operation can touch it.
            Self::Marked { text, .. } => format!(
                "if same==nil then same=call('GET','{}')=='{text}' end if not same then {other} end",
                keys::MARKER
            ),
        }
    }

    /// Says whether the key of the marker is as it was when the connection was set up.
    fn is_unchanged(self) -> String {
        let there = match self {
            Self::Off => return String::new(),
            Self::Unmarked { there } => there,
            Self::Marked { text, .. } => text,
        };
        if !marker::is_plain(there) {
            return "do return {6,now} end".to_owned();
        }
        format!("if (redis.call('GET','{}') or '')~='{there}' then return {{6,now}} end", keys::MARKER)
    }

    /// Gives nothing new in quarantine.
    fn admitted(self, form: Form) -> String {
        match self {
            Self::Marked { until, floor: None, .. } => {
                let answer = form.answer(&format!("5,math.max(0,math.ceil(({until}-now)/1000))"));
                format!("do {answer} end")
            }
            _ => String::new(),
        }
    }

    /// Where counters begin.
    fn floor(self) -> u64 {
        match self {
            Self::Marked { floor: Some(floor), .. } => floor,
            _ => 0,
        }
    }

    /// Stores a counter.
    fn store(self) -> String {
        format!("{} {}", STORE.replace("KEEP", KEEP), self.note())
    }

    /// Notes the highest of the counters that a second of lead over the server's time does not explain.
    fn note(self) -> String {
        match self {
            Self::Off => String::new(),
            _ => format!(
                "if c>now+1000000 and c>tonumber(call('GET','{top}') or 0) then call('SET','{top}',c) end",
                top = keys::TOP
            ),
        }
    }

    /// Answers what no counter is above.
    fn ceiling(self) -> String {
        let floor = match self {
            Self::Off => return "return {0,now}".to_owned(),
            Self::Unmarked { .. } => 0,
            Self::Marked { floor, .. } => floor.unwrap_or(0),
        };
        format!(
            "return {{0,now,math.min(9007199254740991,math.max({floor},now+1000000,\
             tonumber(redis.call('GET','{}') or 0)))}}",
            keys::TOP
        )
    }
}

/// The hashes under which one server process knows the scripts.
#[derive(Debug)]
pub(super) struct Hashes(pub(super) [Str; 8]);

impl Hashes {
    pub(super) fn of(&self, script: Script) -> &Str {
        &self.0[script as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_has_other_scripts() {
        for script in Script::ALL {
            let [one, other] =
                ["a", "b"].map(|run_id| script.render(run_id, Guard::Off, &Default::default()));
            assert_ne!(one, other);
            assert_eq!(one.lines().nth(1), other.lines().nth(1));
        }
    }

    #[test]
    fn hashes_are_found_under_the_script_they_belong_to() {
        let hashes = Hashes(Script::ALL.map(|script| format!("{script:?}").into()));
        for script in Script::ALL {
            assert_eq!(&hashes.of(script)[..], format!("{script:?}"));
        }
    }
}
