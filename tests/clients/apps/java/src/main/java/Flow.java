import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.data.redis.connection.RedisConnection;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.core.RedisTemplate;
import org.springframework.data.redis.listener.ChannelTopic;
import org.springframework.data.redis.listener.PatternTopic;
import org.springframework.data.redis.listener.RedisMessageListenerContainer;
import org.springframework.data.redis.serializer.StringRedisSerializer;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.data.redis.RedisIndexedSessionRepository;
import org.springframework.session.data.redis.config.ConfigureNotifyKeyspaceEventsAction;
import org.springframework.session.events.AbstractSessionEvent;
import org.springframework.session.events.SessionCreatedEvent;
import org.springframework.session.events.SessionDeletedEvent;
import org.springframework.session.events.SessionExpiredEvent;

/**
 * Spring Session as @EnableRedisIndexedHttpSession sets it up, without a web server: it switches keyspace notifications on by itself,
 * listens for sessions that are made, deleted and expired, and finds them by their user.
 */
public final class Flow {
  private static final int WAIT_SECONDS = 20;
  private static final BlockingQueue<AbstractSessionEvent> EVENTS = new LinkedBlockingQueue<>();

  private Flow() {}

  /** The next event, which must be of this kind and session; those of creation come in their own time. */
  private static void expectEvent(Class<?> kind, String id) throws InterruptedException {
    AbstractSessionEvent event = EVENTS.poll(WAIT_SECONDS, TimeUnit.SECONDS);
    if (event == null) throw new AssertionError("no " + kind.getSimpleName());
    FlowChecks.equal(event.getClass(), kind);
    FlowChecks.equal(event.getSessionId(), id);
  }

  private static <S extends org.springframework.session.Session> S store(FindByIndexNameSessionRepository<S> sessions, String user, Duration life) {
    S session = sessions.createSession();
    session.setAttribute(FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME, user);
    session.setAttribute("cart", "three things");
    session.setMaxInactiveInterval(life);
    sessions.save(session);
    return session;
  }

  public static void main(String[] args) throws Exception {
    LettuceConnectionFactory factory = new LettuceConnectionFactory(FlowChecks.HOST, FlowChecks.PORT);
    factory.afterPropertiesSet();
    factory.start();

    FlowChecks.check("spring_session_configures_notifications", () -> {
      try (RedisConnection connection = factory.getConnection()) {
        new ConfigureNotifyKeyspaceEventsAction().configure(connection);
        String set = connection.serverCommands().getConfig("notify-keyspace-events").getProperty("notify-keyspace-events");
        for (String letter : new String[] {"E", "g", "x"}) {
          if (!set.contains(letter) && !set.contains("A")) throw new AssertionError(letter + " is not in " + set);
        }
      }
    });

    RedisTemplate<String, Object> template = new RedisTemplate<>();
    template.setKeySerializer(StringRedisSerializer.UTF_8);
    template.setHashKeySerializer(StringRedisSerializer.UTF_8);
    template.setConnectionFactory(factory);
    template.afterPropertiesSet();
    RedisIndexedSessionRepository sessions = new RedisIndexedSessionRepository(template);
    sessions.setApplicationEventPublisher(event -> {
      if (event instanceof AbstractSessionEvent) EVENTS.add((AbstractSessionEvent) event);
    });
    RedisMessageListenerContainer listeners = new RedisMessageListenerContainer();
    listeners.setConnectionFactory(factory);
    listeners.addMessageListener(sessions, java.util.List.of(
        new ChannelTopic(sessions.getSessionDeletedChannel()), new ChannelTopic(sessions.getSessionExpiredChannel())));
    listeners.addMessageListener(sessions, new PatternTopic(sessions.getSessionCreatedChannelPrefix() + "*"));
    listeners.afterPropertiesSet();
    listeners.start();

    FlowChecks.check("spring_session_created_event", () -> expectEvent(SessionCreatedEvent.class, store(sessions, "ann", Duration.ofMinutes(5)).getId()));
    FlowChecks.check("spring_session_found_by_user", () -> {
      Map<String, ?> found = sessions.findByPrincipalName("ann");
      FlowChecks.equal(found.size(), 1);
      FlowChecks.equal(sessions.findById(found.keySet().iterator().next()).getAttribute("cart"), "three things");
      FlowChecks.equal(sessions.findByPrincipalName("bob").size(), 0);
    });
    FlowChecks.check("spring_session_deleted_event", () -> {
      String id = sessions.findByPrincipalName("ann").keySet().iterator().next();
      sessions.deleteById(id);
      expectEvent(SessionDeletedEvent.class, id);
      FlowChecks.equal(sessions.findByPrincipalName("ann").size(), 0);
    });
    FlowChecks.check("spring_session_expired_event", () -> {
      String id = store(sessions, "bob", Duration.ofSeconds(1)).getId();
      expectEvent(SessionCreatedEvent.class, id);
      expectEvent(SessionExpiredEvent.class, id);
      FlowChecks.equal(sessions.findById(id), null);
    });

    listeners.destroy();
    factory.destroy();
    FlowChecks.finish();
  }
}
