"""The store-and-forward bench: one scenario, the same for ours and for others.

An edge is one command that keeps events and forwards them. It is told by its environment:

    SAF_DIR     the only folder that survives a crash
    SAF_HOST    where the centre listens
    SAF_PORT
    SAF_N       how many events to accept now; 0 after a restart
    SAF_TOPIC   what to publish them on, QoS 1

It prints READY, then `ACCEPTED n` when it vouches for the n-th event, and forwards until it is
killed. Beyond this, SAF_LOCAL_PORT is a free port for a broker of its own, and SAF_FAST_RECONNECT
is 1 where it should not measure a back-off of minutes.
"""
