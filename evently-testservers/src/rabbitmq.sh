# Starts a RabbitMQ and becomes it, in the current folder and with everything of its own in it.
#
# $1  its port
# $2  the port on which its nodes would talk to one another
# $3  the port of its name server
set -e
umask 077
export HOME=$PWD
[ -e .erlang.cookie ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >.erlang.cookie
mkdir -p log mnesia schema generated
echo '[].' >enabled_plugins
cat >rabbitmq.conf <<CONF
listeners.tcp.1 = 127.0.0.1:$1
log.console.level = warning
log.file.level = warning
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
CONF

export ERL_EPMD_PORT="$3" ERL_EPMD_ADDRESS=127.0.0.1
# A name server that is started by somebody else would outlive us. This one goes when the pipe closes, however we end.
rm -f guard
mkfifo guard
(
  epmd -port "$3" -address 127.0.0.1 &
  cat <guard >/dev/null
  kill $!
) &
exec 9>guard

export RABBITMQ_NODENAME="evently$2@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$1" RABBITMQ_DIST_PORT="$2"
export RABBITMQ_MNESIA_BASE="$PWD/mnesia" RABBITMQ_LOG_BASE="$PWD/log" RABBITMQ_SCHEMA_DIR="$PWD/schema"
export RABBITMQ_GENERATED_CONFIG_DIR="$PWD/generated" RABBITMQ_CONFIG_FILE="$PWD/rabbitmq.conf"
export RABBITMQ_ADVANCED_CONFIG_FILE="$PWD/none.config" RABBITMQ_ENABLED_PLUGINS_FILE="$PWD/enabled_plugins"
export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_PID_FILE="$PWD/pid"
# Idle schedulers sleep, because others work on the machine.
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}'
# The script then becomes the server, and does not stand between us and it.
export detached=1
exec /usr/lib/rabbitmq/bin/rabbitmq-server
