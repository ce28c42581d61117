# Dates: parts of a moment, days since the first row; a season by dummies; LightGBM.

# %% [markdown]
# # Bike sharing demand

# %%
import pandas as pd
import numpy as np
import matplotlib.pyplot as plt
from datetime import datetime

# %%
train = pd.read_csv('bike_train.csv')
train.dtypes

# %%
train['datetime'] = pd.to_datetime(train['datetime'])
train['hour'] = train['datetime'].dt.hour
train['weekday'] = train['datetime'].dt.dayofweek
train['month'] = train['datetime'].dt.month
train['days'] = (train['datetime'] - train['datetime'].min()).dt.days
train['is_weekend'] = train['weekday'].isin([5, 6]).astype(int)

# %%
train.groupby('hour')['count'].mean().plot()

# %%
train['rush'] = train['hour'].apply(lambda h: 1 if h in (7, 8, 9, 16, 17, 18, 19) else 0)
train['part_of_day'] = pd.cut(train['hour'], bins=[-1, 5, 11, 17, 23], labels=['night', 'morning', 'day', 'evening'])

# %%
train['season'] = train['season'].map({1: 'spring', 2: 'summer', 3: 'fall', 4: 'winter'})
train = pd.get_dummies(train, columns=['season', 'part_of_day'])
train.head()

# %%
# wind of 0 is not possible
train['windspeed'] = train['windspeed'].replace(0, np.nan)
train['windspeed'] = train['windspeed'].fillna(train.groupby('month')['windspeed'].transform('mean'))

# %%
train = train.drop(['datetime'], axis=1)

# %%
X = train.drop('count', axis=1)
y = train['count']

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=8)

# %%
from lightgbm import LGBMRegressor
lgbm = LGBMRegressor(n_estimators=60, num_leaves=15, verbose=-1, random_state=8, n_jobs=1)
lgbm.fit(X_train, y_train)

# %%
from sklearn.metrics import mean_squared_error, mean_squared_log_error
pred = lgbm.predict(X_test)
pred[pred < 0] = 0
print('RMSE', np.sqrt(mean_squared_error(y_test, pred)))
print('RMSLE', np.sqrt(mean_squared_log_error(y_test, pred)))

# %%
plt.plot(y_test.values[:50])
plt.plot(pred[:50])
